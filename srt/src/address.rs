//! Addresses as C has them, and as Rust does.

use std::ffi::c_int;
use std::net::SocketAddr;

use socket2::{SockAddr, SockAddrStorage};

use crate::sys;

/// Calls `f` with the address as C has it.
pub(crate) fn with<T>(address: SocketAddr, f: impl FnOnce(*const sys::sockaddr, c_int) -> T) -> T {
    let address = SockAddr::from(address);
    // An address of either family is shorter than 128 bytes.
    let len = c_int::try_from(address.len()).unwrap_or(0);
    f(address.as_ptr().cast(), len)
}

/// The address that `f` writes. `None`: it fails, or it wrote something else.
pub(crate) fn written(f: impl FnOnce(*mut sys::sockaddr, *mut c_int) -> bool) -> Option<SocketAddr> {
    let mut storage = SockAddrStorage::zeroed();
    let mut len = c_int::try_from(storage.size_of()).ok()?;
    if !f((&raw mut storage).cast(), &raw mut len) {
        return None;
    }
    // SAFETY: the storage is as long as any address, zeroed first, and so is valid with whatever family is in it.
    unsafe { SockAddr::new(storage, len.try_into().ok()?) }.as_socket()
}

/// The address that `name` points to. `None`: of another family than IPv4 and IPv6.
///
/// # Safety
///
/// `name` points to a valid address of the length that its family has.
pub(crate) unsafe fn read(name: *const sys::sockaddr) -> Option<SocketAddr> {
    // SAFETY: the caller says that it points to an address; each begins with its family.
    let family = unsafe { name.cast::<u16>().read_unaligned() };
    let [v4, v6] = [SocketAddr::from(([0; 4], 0)), SocketAddr::from(([0_u16; 8], 0))].map(SockAddr::from);
    let len = [v4, v6].into_iter().find(|address| address.family() == family)?.len();
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: `name` is as long as addresses of its family are, and the storage is longer than either.
    unsafe {
        name.cast::<u8>().copy_to_nonoverlapping((&raw mut storage).cast(), usize::try_from(len).ok()?);
        SockAddr::new(storage, len).as_socket()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_go_to_c_and_back() {
        for text in ["127.0.0.1:8890", "[::1]:8890", "[2001:db8::1]:1"] {
            let address: SocketAddr = text.parse().unwrap();
            // SAFETY: `with` gives an address.
            assert_eq!(with(address, |name, _| unsafe { read(name) }), Some(address));
        }
    }
}
