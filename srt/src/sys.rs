//! What this crate calls of libsrt, as `srt/srt.h` of 1.5.1 declares it.
#![expect(non_camel_case_types, clippy::upper_case_acronyms, reason = "names as in srt.h")]

use std::ffi::{c_char, c_int, c_void};

/// A socket's number.
pub(crate) type SRTSOCKET = i32;

pub(crate) const SRT_INVALID_SOCK: SRTSOCKET = -1;
pub(crate) const SRT_ERROR: c_int = -1;

// SRT_SOCKSTATUS
pub(crate) const SRTS_CONNECTING: c_int = 4;
pub(crate) const SRTS_CONNECTED: c_int = 5;
pub(crate) const SRTS_CLOSED: c_int = 8;
pub(crate) const SRTS_NONEXIST: c_int = 9;

// SRT_SOCKOPT
pub(crate) const SRTO_SNDSYN: c_int = 1;
pub(crate) const SRTO_RCVSYN: c_int = 2;
pub(crate) const SRTO_RCVBUF: c_int = 6;
pub(crate) const SRTO_SNDDATA: c_int = 19;
pub(crate) const SRTO_RCVDATA: c_int = 20;
pub(crate) const SRTO_PASSPHRASE: c_int = 26;
pub(crate) const SRTO_PBKEYLEN: c_int = 27;
pub(crate) const SRTO_CONNTIMEO: c_int = 36;
pub(crate) const SRTO_LOSSMAXTTL: c_int = 42;
pub(crate) const SRTO_RCVLATENCY: c_int = 43;
pub(crate) const SRTO_PEERLATENCY: c_int = 44;
pub(crate) const SRTO_STREAMID: c_int = 46;
pub(crate) const SRTO_ENFORCEDENCRYPTION: c_int = 53;
pub(crate) const SRTO_IPV6ONLY: c_int = 54;
pub(crate) const SRTO_PEERIDLETIMEO: c_int = 55;

// SRT_EPOLL_OPT, SRT_EPOLL_FLAGS
pub(crate) const SRT_EPOLL_IN: c_int = 0x1;
pub(crate) const SRT_EPOLL_OUT: c_int = 0x4;
pub(crate) const SRT_EPOLL_ERR: c_int = 0x8;
pub(crate) const SRT_EPOLL_ET: c_int = c_int::MIN;
pub(crate) const SRT_EPOLL_ENABLE_EMPTY: i32 = 1;

// SRT_ERRNO
pub(crate) const SRT_ECONNREJ: c_int = 1002;
pub(crate) const SRT_ECONNLOST: c_int = 2001;
pub(crate) const SRT_ENOCONN: c_int = 2002;
pub(crate) const SRT_EINVSOCK: c_int = 5004;
pub(crate) const SRT_EASYNCSND: c_int = 6001;
pub(crate) const SRT_EASYNCRCV: c_int = 6002;

/// `LOG_CRIT` of syslog.
pub(crate) const LOG_CRIT: c_int = 2;

/// A `struct sockaddr` of any family.
#[repr(C)]
pub(crate) struct sockaddr {
    _opaque: [u8; 0],
}

/// What happened to a socket.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct SRT_EPOLL_EVENT {
    pub(crate) fd: SRTSOCKET,
    pub(crate) events: c_int,
}

/// What goes along with a message.
#[repr(C)]
pub(crate) struct SRT_MSGCTRL {
    pub(crate) flags: c_int,
    pub(crate) msgttl: c_int,
    pub(crate) inorder: c_int,
    pub(crate) boundary: c_int,
    pub(crate) srctime: i64,
    pub(crate) pktseq: i32,
    pub(crate) msgno: i32,
    pub(crate) grpdata: *mut c_void,
    pub(crate) grpdata_size: usize,
}

/// Figures of a connection (`struct CBytePerfMon`).
///
/// Later versions of libsrt add fields to the end of it, and write them: `_reserved` is the room for those.
#[repr(C)]
#[expect(non_snake_case, reason = "names as in srt.h")]
pub(crate) struct SRT_TRACEBSTATS {
    pub(crate) msTimeStamp: i64,
    pub(crate) pktSentTotal: i64,
    pub(crate) pktRecvTotal: i64,
    pub(crate) pktSndLossTotal: c_int,
    pub(crate) pktRcvLossTotal: c_int,
    pub(crate) pktRetransTotal: c_int,
    pub(crate) pktSentACKTotal: c_int,
    pub(crate) pktRecvACKTotal: c_int,
    pub(crate) pktSentNAKTotal: c_int,
    pub(crate) pktRecvNAKTotal: c_int,
    pub(crate) usSndDurationTotal: i64,
    pub(crate) pktSndDropTotal: c_int,
    pub(crate) pktRcvDropTotal: c_int,
    pub(crate) pktRcvUndecryptTotal: c_int,
    pub(crate) byteSentTotal: u64,
    pub(crate) byteRecvTotal: u64,
    pub(crate) byteRcvLossTotal: u64,
    pub(crate) byteRetransTotal: u64,
    pub(crate) byteSndDropTotal: u64,
    pub(crate) byteRcvDropTotal: u64,
    pub(crate) byteRcvUndecryptTotal: u64,
    pub(crate) pktSent: i64,
    pub(crate) pktRecv: i64,
    pub(crate) pktSndLoss: c_int,
    pub(crate) pktRcvLoss: c_int,
    pub(crate) pktRetrans: c_int,
    pub(crate) pktRcvRetrans: c_int,
    pub(crate) pktSentACK: c_int,
    pub(crate) pktRecvACK: c_int,
    pub(crate) pktSentNAK: c_int,
    pub(crate) pktRecvNAK: c_int,
    pub(crate) mbpsSendRate: f64,
    pub(crate) mbpsRecvRate: f64,
    pub(crate) usSndDuration: i64,
    pub(crate) pktReorderDistance: c_int,
    pub(crate) pktRcvAvgBelatedTime: f64,
    pub(crate) pktRcvBelated: i64,
    pub(crate) pktSndDrop: c_int,
    pub(crate) pktRcvDrop: c_int,
    pub(crate) pktRcvUndecrypt: c_int,
    pub(crate) byteSent: u64,
    pub(crate) byteRecv: u64,
    pub(crate) byteRcvLoss: u64,
    pub(crate) byteRetrans: u64,
    pub(crate) byteSndDrop: u64,
    pub(crate) byteRcvDrop: u64,
    pub(crate) byteRcvUndecrypt: u64,
    pub(crate) usPktSndPeriod: f64,
    pub(crate) pktFlowWindow: c_int,
    pub(crate) pktCongestionWindow: c_int,
    pub(crate) pktFlightSize: c_int,
    pub(crate) msRTT: f64,
    pub(crate) mbpsBandwidth: f64,
    pub(crate) byteAvailSndBuf: c_int,
    pub(crate) byteAvailRcvBuf: c_int,
    pub(crate) mbpsMaxBW: f64,
    pub(crate) byteMSS: c_int,
    pub(crate) pktSndBuf: c_int,
    pub(crate) byteSndBuf: c_int,
    pub(crate) msSndBuf: c_int,
    pub(crate) msSndTsbPdDelay: c_int,
    pub(crate) pktRcvBuf: c_int,
    pub(crate) byteRcvBuf: c_int,
    pub(crate) msRcvBuf: c_int,
    pub(crate) msRcvTsbPdDelay: c_int,
    pub(crate) pktSndFilterExtraTotal: c_int,
    pub(crate) pktRcvFilterExtraTotal: c_int,
    pub(crate) pktRcvFilterSupplyTotal: c_int,
    pub(crate) pktRcvFilterLossTotal: c_int,
    pub(crate) pktSndFilterExtra: c_int,
    pub(crate) pktRcvFilterExtra: c_int,
    pub(crate) pktRcvFilterSupply: c_int,
    pub(crate) pktRcvFilterLoss: c_int,
    pub(crate) pktReorderTolerance: c_int,
    pub(crate) pktSentUniqueTotal: i64,
    pub(crate) pktRecvUniqueTotal: i64,
    pub(crate) byteSentUniqueTotal: u64,
    pub(crate) byteRecvUniqueTotal: u64,
    pub(crate) pktSentUnique: i64,
    pub(crate) pktRecvUnique: i64,
    pub(crate) byteSentUnique: u64,
    pub(crate) byteRecvUnique: u64,
    _reserved: [u64; 64],
}

/// Asked by a listener whether to go on with a handshake: 0 or -1.
pub(crate) type srt_listen_callback_fn = unsafe extern "C" fn(
    opaque: *mut c_void,
    socket: SRTSOCKET,
    handshake_version: c_int,
    peer: *const sockaddr,
    stream_id: *const c_char,
) -> c_int;

/// Takes a line of log.
pub(crate) type SRT_LOG_HANDLER_FN = unsafe extern "C" fn(
    opaque: *mut c_void,
    level: c_int,
    file: *const c_char,
    line: c_int,
    area: *const c_char,
    message: *const c_char,
);

unsafe extern "C" {
    pub(crate) safe fn srt_startup() -> c_int;
    pub(crate) safe fn srt_cleanup() -> c_int;
    pub(crate) safe fn srt_setloglevel(level: c_int);
    pub(crate) fn srt_setloghandler(opaque: *mut c_void, handler: SRT_LOG_HANDLER_FN);

    // Sockets are numbers that libsrt looks up: a wrong one is an error, not a fault.
    pub(crate) safe fn srt_create_socket() -> SRTSOCKET;
    pub(crate) fn srt_bind(socket: SRTSOCKET, name: *const sockaddr, len: c_int) -> c_int;
    pub(crate) safe fn srt_listen(socket: SRTSOCKET, backlog: c_int) -> c_int;
    pub(crate) fn srt_listen_callback(socket: SRTSOCKET, hook: srt_listen_callback_fn, opaque: *mut c_void) -> c_int;
    pub(crate) fn srt_accept(socket: SRTSOCKET, address: *mut sockaddr, len: *mut c_int) -> SRTSOCKET;
    pub(crate) fn srt_connect(socket: SRTSOCKET, name: *const sockaddr, len: c_int) -> c_int;
    pub(crate) safe fn srt_close(socket: SRTSOCKET) -> c_int;
    pub(crate) fn srt_getsockname(socket: SRTSOCKET, name: *mut sockaddr, len: *mut c_int) -> c_int;
    pub(crate) fn srt_getsockflag(socket: SRTSOCKET, option: c_int, value: *mut c_void, len: *mut c_int) -> c_int;
    pub(crate) fn srt_setsockflag(socket: SRTSOCKET, option: c_int, value: *const c_void, len: c_int) -> c_int;
    pub(crate) safe fn srt_getsockstate(socket: SRTSOCKET) -> c_int;
    pub(crate) safe fn srt_getrejectreason(socket: SRTSOCKET) -> c_int;
    pub(crate) safe fn srt_setrejectreason(socket: SRTSOCKET, value: c_int) -> c_int;

    pub(crate) fn srt_recvmsg2(socket: SRTSOCKET, data: *mut c_char, len: c_int, control: *mut SRT_MSGCTRL) -> c_int;
    pub(crate) fn srt_send(socket: SRTSOCKET, data: *const c_char, len: c_int) -> c_int;
    pub(crate) fn srt_bistats(
        socket: SRTSOCKET,
        stats: *mut SRT_TRACEBSTATS,
        clear: c_int,
        instantaneous: c_int,
    ) -> c_int;

    pub(crate) safe fn srt_epoll_create() -> c_int;
    pub(crate) safe fn srt_epoll_set(epoll: c_int, flags: i32) -> i32;
    pub(crate) fn srt_epoll_add_usock(epoll: c_int, socket: SRTSOCKET, events: *const c_int) -> c_int;
    pub(crate) safe fn srt_epoll_remove_usock(epoll: c_int, socket: SRTSOCKET) -> c_int;
    pub(crate) fn srt_epoll_uwait(epoll: c_int, events: *mut SRT_EPOLL_EVENT, len: c_int, timeout_millis: i64)
    -> c_int;
    pub(crate) safe fn srt_epoll_release(epoll: c_int) -> c_int;

    pub(crate) fn srt_getlasterror(errno: *mut c_int) -> c_int;
    pub(crate) safe fn srt_getlasterror_str() -> *const c_char;
}
