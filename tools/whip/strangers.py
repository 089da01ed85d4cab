#!/usr/bin/env python3
"""Sends what a WebRTC session must not be moved by, some of it in the publisher's own name. As root: it writes IP headers itself.

    strangers.py SERVER_PORT PUBLISHER_PORT UFRAG SSRC PAYLOAD_TYPE COUNT PER_SECOND

On the loopback interface alone. Each kind is sent from the publisher's address and port, from another port, and from 127.0.0.2.
Prints how many of each.
"""

import collections
import json
import os
import random
import socket
import struct
import sys
import time
import zlib

LOOPBACK, NEIGHBOUR = "127.0.0.1", "127.0.0.2"


def main():
    server, publisher, ufrag, ssrc, payload_type, count, per_second = sys.argv[1:]
    server, publisher, ssrc = int(server), int(publisher), int(ssrc)
    kinds = {
        "STUN without integrity": lambda: binding(ufrag, integrity=None),
        "STUN with a wrong password": lambda: binding(ufrag, integrity=os.urandom(20)),
        "STUN cut short": lambda: binding(ufrag, integrity=os.urandom(20))[:random.randrange(1, 60)],
        "SRTP by a wrong key": lambda: srtp(ssrc, int(payload_type)),
        "SRTCP by a wrong key": lambda: srtcp(ssrc),
        "DTLS alert, epoch 0": lambda: record(21, b"\x02\x28"),
        "DTLS close_notify, epoch 0": lambda: record(21, b"\x01\x00"),
        "DTLS handshake, epoch 0": lambda: record(22, b"\x01" + os.urandom(random.randrange(11, 200))),
        "DTLS data, epoch 1": lambda: record(23, os.urandom(64), epoch=1),
        "noise": lambda: os.urandom(random.randrange(1, 1_200)),
    }
    origins = [(LOOPBACK, publisher), (LOOPBACK, 40_000), (NEIGHBOUR, publisher), (NEIGHBOUR, 40_001)]
    sent = collections.Counter()
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as wire:
        began = time.monotonic()
        for number in range(int(count)):
            kind, make = random.choice(list(kinds.items()))
            origin = origins[number % len(origins)]
            wire.sendto(packet(origin, (LOOPBACK, server), make()), (LOOPBACK, 0))
            sent[f"{kind}, {'as the publisher' if origin == origins[0] else 'as somebody else'}"] += 1
            ahead = began + (number + 1) / float(per_second) - time.monotonic()
            if ahead > 0.005:
                time.sleep(ahead)
    print(json.dumps(dict(sorted(sent.items()))))


def packet(source, target, payload):
    """An IP packet (RFC 791) with a UDP datagram (RFC 768) without a checksum."""
    udp = struct.pack("!HHHH", source[1], target[1], 8 + len(payload), 0) + payload
    ends = socket.inet_aton(source[0]) + socket.inet_aton(target[0])
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, socket.IPPROTO_UDP, 0) + ends + udp


def attribute(kind, value):
    return struct.pack("!HH", kind, len(value)) + value + b"\0" * (-len(value) % 4)


def binding(ufrag, integrity):
    """A binding request (RFC 8489, RFC 8445 7.1.1) that wants to be the chosen path."""
    body = attribute(0x0006, f"{ufrag}:none".encode()) + attribute(0x0024, b"\x7e\xff\xff\xff")
    body += attribute(0x802A, os.urandom(8)) + attribute(0x0025, b"")
    if integrity:
        body += attribute(0x0008, integrity)
    length = len(body) + 8
    message = struct.pack("!HHI", 1, length, 0x2112A442) + os.urandom(12) + body
    return message + attribute(0x8028, struct.pack("!I", zlib.crc32(message) ^ 0x5354554E))


def srtp(ssrc, payload_type):
    head = struct.pack("!BBHII", 0x80, payload_type | random.choice((0, 0x80)), random.randrange(65_536), random.getrandbits(32), ssrc)
    return head + os.urandom(random.randrange(20, 1_100))


def srtcp(ssrc):
    return struct.pack("!BBHI", 0x80, random.choice((200, 203)), 6, ssrc) + os.urandom(38)


def record(kind, body, epoch=0):
    return struct.pack("!BHHHIH", kind, 0xFEFD, epoch, 0, random.getrandbits(16), len(body)) + body


if __name__ == "__main__":
    main()
