"""Lists the provisioning domains that this program may use, fetches http://HOST/ by each of them and by whichever
answers first, and then tells what changes of them, until standard input ends.

    python3 mif_pvds.py HOST                  all networks of the host
    mif-run -i lte python3 mif_pvds.py HOST   what a policy leaves of them

Nothing but the standard library: ctypes calls libmif, whose interface is in mif.h.
"""

import ctypes
import errno
import ipaddress
import os
import select
import socket
import sys


class Pvd(ctypes.Structure):
    """mif_pvdid_t"""

    _fields_ = [("type", ctypes.c_uint8), ("length", ctypes.c_uint8), ("value", ctypes.c_char * 254)]

    def __str__(self):
        return self.value.decode()


class Message(ctypes.Structure):
    """struct mif_msg. Of sockaddr_storage the octets are enough."""

    _fields_ = [
        *((name, ctypes.c_uint32) for name in ("size", "type", "flags", "ifid", "id")),
        *((name, ctypes.c_int32) for name in ("status", "fd")),
        *((name, ctypes.c_uint32) for name in ("socktype", "element", "info", "valid_lifetime")),
        ("preferred_lifetime", ctypes.c_uint32),
        ("pvd", Pvd),
        ("src", ctypes.c_uint64 * 16),
        ("dst", ctypes.c_uint64 * 16),
        ("text", ctypes.c_char * 1024),
    ]

    def __init__(self, **fields):
        super().__init__(size=ctypes.sizeof(Message), fd=-1, **fields)


# enum mif_type, as much of it as is needed here.
ANNOUNCE_INTERFACES, ANNOUNCE_PVDS, PVD, NO_PVD = 1, 5, 7, 8
ANNOUNCE_ELEMENTS, STOP_ELEMENTS, ANNOUNCE_ADDRESSES, STOP_ADDRESSES = 9, 12, 13, 15
TRANSLATE_NAME, NAME, NAME_DONE = 18, 20, 0x114
ELEMENTS = ["", "ra", "dhcpv6", "dhcpv4", "static", "pvd"]


def library():
    """libmif, which mif-run has put into this process already, or else the one that is installed."""
    here = ctypes.CDLL(None, use_errno=True)
    mif = here if hasattr(here, "mif_open") else ctypes.CDLL("libmif.so.0", use_errno=True)
    mif.mif_open.restype = ctypes.c_void_p
    mif.mif_close.restype = None
    mif.mif_close.argtypes = mif.mif_fd.argtypes = [ctypes.c_void_p]
    mif.mif_post.argtypes = mif.mif_get.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    mif.mif_type_name.restype = ctypes.c_char_p
    mif.mif_connect_name.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_char_p]
    mif.mif_connect_name.argtypes += [ctypes.c_char_p, ctypes.c_int]
    return mif


MIF = library()


def checked(result):
    """The result of a function that sets errno when it returns -1."""
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def pvds():
    """The domains that there are now, the preferred ones first."""
    room = (Pvd * 64)()
    count = ctypes.c_size_t(len(room))
    checked(MIF.mif_pvd_list(0, room, ctypes.byref(count)))
    return list(room[: count.value])


def address(octets):
    """A sockaddr_storage as family and address; None for none."""
    octets = bytes(octets)
    family = int.from_bytes(octets[:2], sys.byteorder)
    place = {socket.AF_INET: slice(4, 8), socket.AF_INET6: slice(8, 24)}.get(family)
    return place and (family, str(ipaddress.ip_address(octets[place])))


class Handle:
    """A handle: messages are posted, and got."""

    def __enter__(self):
        self.handle = MIF.mif_open(0)
        if not self.handle:
            checked(-1)
        return self

    def __exit__(self, *_):
        MIF.mif_close(self.handle)

    def fileno(self):
        """For select and its like."""
        return checked(MIF.mif_fd(self.handle))

    def post(self, **fields):
        checked(MIF.mif_post(self.handle, ctypes.byref(Message(**fields))))

    def messages(self):
        """What is there, without waiting."""
        message = Message()
        while checked(MIF.mif_get(self.handle, ctypes.byref(message))):
            yield message
            message = Message()


def translate(pvd, host):
    """The addresses that the servers of a domain know of a name, and an EAI_* or 0."""
    found = []
    with Handle() as handle:
        handle.post(type=TRANSLATE_NAME, pvd=pvd, text=host.encode(), id=1)
        while select.select([handle], [], []):
            for message in handle.messages():
                if message.type == NAME:
                    found.append(address(message.dst))
                elif message.type == NAME_DONE:
                    return found, message.status


def connect_within(pvd, host):
    """A connection by one domain: its name servers, its network."""
    found, status = translate(pvd, host)
    why = OSError(f"no address (getaddrinfo's error {status})")
    for family, ip in found:
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            checked(MIF.mif_socket_pvd(connection.fileno(), ctypes.byref(pvd), 0))
            connection.connect((ip, 80))
            return connection
        except OSError as error:
            connection.close()
            why = error
    raise why


def connect_by_any(host):
    """A connection by whichever domain answers first (Happy Eyeballs)."""
    order = pvds()
    room = (Pvd * len(order))(*order)
    fd = MIF.mif_connect_name(room, len(order), 0, host.encode(), b"http", 10_000)
    return socket.socket(fileno=checked(fd))


def fetch(who, connect, host):
    try:
        with connect() as connection:
            connection.settimeout(10)
            connection.sendall(f"GET / HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
        _, _, body = answer.partition(b"\r\n\r\n")
        print(f"{who}: {body.decode().strip() or 'no answer'}")
    except OSError as error:
        print(f"{who}: {error}")


def follow(handle, message):
    """What a domain has is asked for when it comes, and not any more when it has gone."""
    wanted = {PVD: (ANNOUNCE_ELEMENTS, ANNOUNCE_ADDRESSES), NO_PVD: (STOP_ELEMENTS, STOP_ADDRESSES)}
    for request in wanted.get(message.type, ()):
        try:
            handle.post(type=request, pvd=message.pvd)
        except OSError as error:
            # It may have gone again, and the message of that be still to come.
            if error.errno != errno.ENOENT:
                raise


def show(message):
    ip = address(message.src)
    words = [
        MIF.mif_type_name(message.type).decode(),
        str(message.ifid or ""),
        str(message.pvd),
        message.text.decode(),
        ip[1] if ip else "",
        ELEMENTS[message.element],
    ]
    print(*filter(None, words), flush=True)


def main():
    for pvd in pvds():
        print("domain", pvd)
    for host in sys.argv[1:]:
        for pvd in pvds():
            fetch(pvd, lambda pvd=pvd: connect_within(pvd, host), host)
        fetch("any", lambda: connect_by_any(host), host)
    with Handle() as handle:
        handle.post(type=ANNOUNCE_INTERFACES)
        handle.post(type=ANNOUNCE_PVDS)
        while True:
            ready, _, _ = select.select([handle, sys.stdin], [], [])
            for message in handle.messages():
                show(message)
                follow(handle, message)
            if sys.stdin in ready and not os.read(sys.stdin.fileno(), 512):
                break


if __name__ == "__main__":
    main()
