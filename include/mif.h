/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The MIF API: provisioning domains for programs that want more than a policy.
 *
 * It is the abstract API of draft-ietf-mif-api-extension-05, with its gaps filled. docs/api.md tells how
 * to program with it; this file says what each thing is. Link with -lmif (pkg-config mif), or find the
 * symbols by dlsym(3) in a program that runs under mif-run.
 *
 * A provisioning domain, PvD, is a network's consistent set of configuration: addresses, routers, name
 * servers (RFC 7556). Where a policy of mif is in force, a program sees the domains that the policy lets
 * it use, and chooses among these; without one it sees all.
 *
 * Unless said otherwise functions return 0, or -1 with errno. All may be called by any thread; none may be
 * called by a signal handler, nor by a child between fork and exec. A handle does not outlive fork: in the
 * child every function but mif_close fails with ECHILD.
 */
#ifndef MIF_H
#define MIF_H

#include <netdb.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

struct addrinfo;
struct sockaddr_in6;

/* Which provisioning domain (draft-ietf-mif-mpvd-id-02). */
typedef struct mif_pvdid {
    uint8_t type;   /* enum mif_pvdid_type; 0: none */
    uint8_t length; /* octets of value, at most 253 */
    char value[254];/* behind its octets zeros: a C string, and one domain has one representation */
} mif_pvdid_t;

enum mif_pvdid_type {
    MIF_PVDID_UTF8 = 2,        /* a [pvd.NAME] of pvds.toml, by its name */
    MIF_PVDID_FQDN = 5,        /* one that a network announces (RFC 8801), in lower case without last dot */
    MIF_PVDID_INTERFACE = 0x80 /* the implicit one of an interface, by the interface's name */
};

/* What a message is: N of section 3.2.7.N of the draft, or beyond its sections 0x100 and more.
 * "->" goes to MIF by mif_post, "<-" comes from it by mif_get. What is asked for twice is told again; what is
 * stopped is told no more, and what waits to be read of it is taken back. */
enum mif_type {
    MIF_ANNOUNCE_INTERFACES = 1,   /* ->                what is there, and from now on what changes */
    MIF_STOP_INTERFACES = 2,       /* -> */
    MIF_INTERFACE = 3,             /* <- ifid text      it carries packets: it is up, with its carrier */
    MIF_NO_INTERFACE = 4,          /* <- ifid text      after MIF_NO_PVD for each domain on it */
    MIF_ANNOUNCE_PVDS = 5,         /* -> ifid           0 for every interface; of one, until MIF_NO_INTERFACE */
    MIF_STOP_PVDS = 6,             /* -> ifid */
    MIF_PVD = 7,                   /* <- ifid pvd */
    MIF_NO_PVD = 8,                /* <- ifid pvd       after what was announced of it is taken back */
    MIF_ANNOUNCE_ELEMENTS = 9,     /* -> pvd            which sources its configuration has; also when it is back */
    MIF_ELEMENT = 10,              /* <- pvd element    new or changed */
    MIF_NO_ELEMENT = 11,           /* <- pvd element */
    MIF_STOP_ELEMENTS = 12,        /* -> pvd */
    MIF_ANNOUNCE_ADDRESSES = 13,   /* -> pvd flags      MIF_F_V4, MIF_F_V6 */
    MIF_ADDRESS = 14,              /* <- pvd src valid_lifetime preferred_lifetime; new or changed */
    MIF_STOP_ADDRESSES = 15,       /* -> pvd */
    MIF_NO_ADDRESS = 16,           /* <- pvd src */
    MIF_GET_CONFIGURATION = 17,    /* -> pvd info       element: 0 for any */
    MIF_TRANSLATE_NAME = 18,       /* -> pvd text id    flags: MIF_F_V4, MIF_F_V6 */
    MIF_STOP_TRANSLATING = 19,     /* -> id             no message of this id comes after it */
    MIF_NAME = 20,                 /* <- pvd dst id     one address; src is where it would be reached from */
    MIF_CONNECT_PVD = 21,          /* -> pvd id         the domain of what is posted without one; none: as before */
    MIF_CONNECT = 22,              /* -> pvd dst id     dst with its port; socktype */
    MIF_CONNECT_FROM = 23,         /* -> pvd dst src id */
    MIF_CONNECTED = 24,            /* <- pvd dst src id fd; a blocking socket, which is the program's to close;
                                    * -1 for MIF_CONNECT_PVD, without dst and src */
    MIF_NOT_CONNECTED = 25,        /* <- pvd id status  an errno */
    MIF_APP_WANTS = 0x1a1,         /* -> pvd            26.1: fails with ENETDOWN where it is not there */
    MIF_APP_IDLE = 0x1a2,          /* -> id             26.2: taken note of */
    MIF_APP_BREAKABLE = 0x1a3,     /* -> id             26.3: taken note of */
    MIF_INTERFACE_GOING_AWAY = 0x1a4, /* <- ifid        26.4: before anything on it is taken back */
    MIF_INTERFACE_GOING_UP = 0x1a5,   /* <- ifid        26.5: it is up; MIF_INTERFACE follows with its carrier */
    MIF_CONFIGURATION = 0x111,     /* <- pvd element info text; one value a message, MIF_F_LAST on the last */
    MIF_NO_CONFIGURATION = 0x112,  /* <- pvd info       there is none */
    MIF_NAME_DONE = 0x114,         /* <- pvd id status  0, or one of EAI_*; the translation is at its end */
    MIF_STOP_CONNECTING = 0x119    /* -> id             no message of this id comes after it */
};

/* Where an element of configuration is from. */
enum mif_element {
    MIF_ELEMENT_RA = 1,     /* router advertisements */
    MIF_ELEMENT_DHCPV6 = 2,
    MIF_ELEMENT_DHCPV4 = 3,
    MIF_ELEMENT_STATIC = 4, /* pvds.toml, what was given by hand, and what an agent does not tell the source of */
    MIF_ELEMENT_PVD = 5     /* additional information of RFC 8801 */
};

/* Which information; each value of it is one text. */
enum mif_info {
    MIF_INFO_DNS_SERVERS = 1,   /* "192.0.2.53", "tls://192.0.2.53#dns.example", as in policies */
    MIF_INFO_DNS_SEARCH = 2,    /* "corp.example" */
    MIF_INFO_DNS_ZONES = 3,     /* "corp.example" */
    MIF_INFO_GATEWAYS = 4,      /* "192.0.2.1", "fe80::1" */
    MIF_INFO_PREFIXES = 5,      /* "192.0.2.0/24" */
    MIF_INFO_MTU = 6,           /* "1500" */
    MIF_INFO_PREF64 = 7,        /* "64:ff9b::/96" */
    MIF_INFO_CAPTIVE_PORTAL = 8 /* "https://portal.example/api" */
};

enum mif_flag {
    MIF_F_V4 = 1,      /* IPv4; with neither or both of these two, both families */
    MIF_F_V6 = 2,
    MIF_F_PREFER = 4,  /* a preference: another network will do. Without it, a requirement */
    MIF_F_LAST = 8     /* the last of several messages */
};

#define MIF_INFINITE UINT32_MAX /* a lifetime without end (RFC 4861) */
#define MIF_TEXT_MAX 1024

/* One message, either way. What its type does not name is 0. */
struct mif_msg {
    uint32_t size;     /* sizeof(struct mif_msg), set by the program for mif_post and mif_get */
    uint32_t type;     /* enum mif_type */
    uint32_t flags;    /* enum mif_flag */
    uint32_t ifid;     /* interface index */
    uint32_t id;       /* the program's own number of a translation or connection: on its handle no other one has
                        * it until the last message of it is read */
    int32_t status;
    int32_t fd;        /* -1 where there is none */
    uint32_t socktype; /* 0 and SOCK_STREAM: TCP; SOCK_DGRAM: UDP */
    uint32_t element;  /* enum mif_element */
    uint32_t info;     /* enum mif_info */
    uint32_t valid_lifetime, preferred_lifetime; /* seconds from now, or MIF_INFINITE */
    mif_pvdid_t pvd;
    struct sockaddr_storage src, dst;
    char text[MIF_TEXT_MAX]; /* UTF-8, ends in NUL */
};

/* ---- messages: POST, CHECK, GET (3.2.6) ---------------------------------------------------------------- */

typedef struct mif mif_t;

/* A handle. No thread and no descriptor is there before the first. flags: 0. NULL with errno. */
mif_t *mif_open(unsigned flags);

/* Ends all that was posted; takes NULL. Descriptors that mif_get returned stay open. */
void mif_close(mif_t *mif);

/* A descriptor that poll(2) finds readable (POLLIN) while mif_get has a message. It is the handle's. */
int mif_fd(const mif_t *mif);

/* POST MESSAGE: posts and returns. EINVAL: a field of the message, or its size. EEXIST: its id is in use.
 * ENOENT: no such domain, interface or id, or one that the policy hides. EAGAIN: too much is being done. How a
 * connection or translation fails is told by a message. */
int mif_post(mif_t *mif, const struct mif_msg *msg);

/* CHECK MESSAGE: waits, as poll(2) does, until a message is there or something of `others`, which may be
 * NULL. timeout in milliseconds, -1 for no end. Returns how many are ready, a message counts for one. EINTR:
 * a signal came. */
int mif_check(mif_t *mif, struct pollfd *others, nfds_t n, int timeout);

/* GET MESSAGE: 1 and a message, or 0 if there is none. Never waits. EINVAL: the size. */
int mif_get(mif_t *mif, struct mif_msg *msg);

/* The name of a type, "MIF_PVD"; NULL if it is none. */
const char *mif_type_name(uint32_t type);

/* ---- at once (RFC 7556 section 6) ---------------------------------------------------------------------- */

/* The domains that this program may use now, of the families that flags say (MIF_F_V4, MIF_F_V6), at most
 * *n of them, in the order in which the policy prefers them. *n becomes how many there are. */
int mif_pvd_list(unsigned flags, mif_pvdid_t *pvds, size_t *n);

/* A domain by what people call it: the name of a [pvd.NAME], of an interface, or the identifier that a network
 * announces. "utf8:", "if:" and "fqdn:" in front of it say which, and then it need not be there. ENOENT: there
 * is none. */
int mif_pvd_from_text(const char *text, mif_pvdid_t *pvd);

/* The same in words, "wan1", as snprintf(3) does: returns the length, and writes what fits. */
int mif_pvd_to_text(const mif_pvdid_t *pvd, char *text, size_t size);

/* Puts a socket on a domain before it is connected, bound or sent from. flags: MIF_F_PREFER. EACCES: the
 * policy does not permit it. ENETDOWN: the domain is not there. EISCONN, EPERM: it is too late. */
int mif_socket_pvd(int fd, const mif_pvdid_t *pvd, unsigned flags);

/* From now on sockets and look-ups of this thread, or of this process, use this domain, as if a policy
 * said so; the thread's word counts more. NULL: as before. flags: MIF_F_PREFER. EACCES and ENOENT as
 * above. EOPNOTSUPP: the program's calls do not come to libmif, which is neither preloaded nor linked by the
 * program itself. Threads and programs that are started do not inherit a thread's. */
int mif_thread_pvd(const mif_pvdid_t *pvd, unsigned flags);
int mif_process_pvd(const mif_pvdid_t *pvd, unsigned flags);

/* The domain that a socket is on: of several on its interface the first in mif_pvd_list, with its address if it
 * has one. ENOENT: none, it goes where the host's routing has it. */
int mif_sock_get_pvd(int fd, mif_pvdid_t *pvd);

/* The domain that a datagram came by, from what recvmsg(2) returned with IP_PKTINFO or IPV6_PKTINFO
 * (RFC 7556 5.2.3.1.2). ENOENT: there is none, or no such ancillary data. */
int mif_cmsg_pvd(const struct msghdr *msg, mif_pvdid_t *pvd);

/* getaddrinfo(3) by a domain's servers; NULL for the policy's choice. The result is freeaddrinfo's. */
int mif_getaddrinfo(const mif_pvdid_t *pvd, const char *node, const char *service,
                    const struct addrinfo *hints, struct addrinfo **result);

/* A connected TCP socket (blocking, close-on-exec), by whichever of these domains answers first:
 * RFC 8305 over domains and addresses, the first domain preferred. n = 0: all of mif_pvd_list. flags:
 * MIF_F_V4, MIF_F_V6. timeout in milliseconds, -1 for no end but TCP's. ETIMEDOUT, or the first attempt's
 * error; ENOENT: the name has no address; EAGAIN: no server answered. */
int mif_connect_name(const mif_pvdid_t *pvds, size_t n, unsigned flags, const char *node,
                     const char *service, int timeout);

/* RFC 5014 sections 6 and 13, which glibc lacks. */
int bind2addrsel(int fd, const struct sockaddr *address, socklen_t length);
short inet6_is_srcaddr(struct sockaddr_in6 *address, uint32_t flags);

#ifdef __cplusplus
}
#endif

#endif
