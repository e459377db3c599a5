/* Calls that make little sense, and some that do. Destinations are local; with a word ADDRESS that
   one too, and calls that open listeners. */
#include "odd.h"

struct odd {
    char name[48];
    const void *address;
    socklen_t length;
};

static struct odd odds[64];
static int count_of_odds;

static void odd(const char *name, const void *address, socklen_t length)
{
    struct odd *next = &odds[count_of_odds++];
    snprintf(next->name, sizeof next->name, "%s/%u", name, length);
    next->address = address;
    next->length = length;
}

static void addresses(void)
{
    static struct destination v4, v6, mapped, any, any6;
    static struct sockaddr_in unspec = {.sin_family = AF_UNSPEC}, alien = {.sin_family = 99};
    static struct sockaddr_un path = {.sun_family = AF_UNIX, .sun_path = "/nonexistent/socket"};
    static struct sockaddr_nl netlink = {.nl_family = AF_NETLINK};
    v4 = destination("127.0.0.1", "9");
    v6 = destination("::1", "9");
    mapped = destination("::ffff:127.0.0.1", "9");
    any = destination("0.0.0.0", "9");
    any6 = destination("::", "9");
    odd("null", NULL, 0);
    odd("null", NULL, 16);
    odd("one", (void *)1, 16);
    odd("high", (void *)-4096L, 16);
    static const socklen_t lengths[] = {0, 1, 2, 8, 15, 16, 17, 28, 128, 129, (socklen_t)-1};
    for (size_t n = 0; n < sizeof lengths / sizeof *lengths; n++)
        odd("v4", &v4.address, lengths[n]);
    static const socklen_t lengths6[] = {2, 16, 20, 23, 24, 27, 28, 29, 128, 129};
    for (size_t n = 0; n < sizeof lengths6 / sizeof *lengths6; n++)
        odd("v6", &v6.address, lengths6[n]);
    odd("mapped", &mapped.address, 28);
    odd("any", &any.address, 16);
    odd("any6", &any6.address, 28);
    odd("unspec", &unspec, 2);
    odd("unspec", &unspec, 16);
    odd("alien", &alien, 16);
    odd("path", &path, sizeof path);
    odd("netlink", &netlink, sizeof netlink);
}

static void by_address(void)
{
    for (int n = 0; n < count_of_odds; n++) {
        const struct odd *odd = &odds[n];
        const struct sockaddr *address = odd->address;
        for (int kind = 0; kind < KINDS; kind++) {
            TRY("connect", kind, odd->name, connect(fd, address, odd->length));
            TRY("sendto", kind, odd->name,
                sendto(fd, "x", 1, MSG_NOSIGNAL, address, odd->length));
            TRY("fastopen", kind, odd->name,
                sendto(fd, "x", 1, MSG_NOSIGNAL | MSG_FASTOPEN, address, odd->length));
            struct iovec data = {"x", 1};
            struct mmsghdr two[2] = {};
            for (int m = 0; m < 2; m++)
                two[m].msg_hdr = (struct msghdr){.msg_name = (void *)address,
                                                 .msg_namelen = odd->length,
                                                 .msg_iov = &data,
                                                 .msg_iovlen = 1};
            TRY("sendmsg", kind, odd->name, sendmsg(fd, &two[0].msg_hdr, MSG_NOSIGNAL));
            TRY("sendmmsg", kind, odd->name, sendmmsg(fd, two, 2, MSG_NOSIGNAL));
        }
    }
}

static void by_message(void)
{
    struct destination to = destination("127.0.0.1", "9");
    struct sockaddr *address = (struct sockaddr *)&to.address;
    struct iovec data = {"x", 1};
    char control[64] = {};
    struct cmsghdr *huge = (struct cmsghdr *)control;
    huge->cmsg_len = 4096;
    for (int kind = 0; kind < KINDS; kind++) {
        TRY("sendto", kind, "zero bytes", sendto(fd, NULL, 0, MSG_NOSIGNAL, address, to.length));
        TRY("sendto", kind, "no buffer", sendto(fd, NULL, 5, MSG_NOSIGNAL, address, to.length));
        TRY("sendto", kind, "oob", sendto(fd, "x", 1, MSG_NOSIGNAL | MSG_OOB, address, to.length));
        TRY("sendto", kind, "no destination", sendto(fd, "x", 1, MSG_NOSIGNAL, NULL, 0));
        TRY("sendto", kind, "connected",
            (connect(fd, address, to.length), errno = UNTOUCHED,
             sendto(fd, "x", 1, MSG_NOSIGNAL, NULL, 0)));
        TRY("connect", kind, "twice",
            (connect(fd, address, to.length), errno = UNTOUCHED,
             connect(fd, address, to.length)));
        TRY("sendmsg", kind, "null", sendmsg(fd, NULL, MSG_NOSIGNAL));
        TRY("sendmsg", kind, "one", sendmsg(fd, (void *)1, MSG_NOSIGNAL));
        struct msghdr message = {.msg_name = address, .msg_namelen = 0};
        TRY("sendmsg", kind, "name of length 0", sendmsg(fd, &message, MSG_NOSIGNAL));
        message.msg_namelen = to.length;
        TRY("sendmsg", kind, "no data", sendmsg(fd, &message, MSG_NOSIGNAL));
        message.msg_iovlen = 5000;
        TRY("sendmsg", kind, "too many buffers", sendmsg(fd, &message, MSG_NOSIGNAL));
        message.msg_iov = &data;
        message.msg_iovlen = 1;
        message.msg_controllen = 40;
        TRY("sendmsg", kind, "no control", sendmsg(fd, &message, MSG_NOSIGNAL));
        message.msg_control = control;
        TRY("sendmsg", kind, "control too long", sendmsg(fd, &message, MSG_NOSIGNAL));
        message.msg_controllen = 5;
        TRY("sendmsg", kind, "control too short", sendmsg(fd, &message, MSG_NOSIGNAL));
        struct mmsghdr two[2] = {{.msg_hdr = message}, {.msg_hdr = {.msg_name = (void *)1}}};
        two[0].msg_hdr.msg_controllen = 0;
        two[1].msg_hdr.msg_namelen = 16;
        TRY("sendmmsg", kind, "count 0", sendmmsg(fd, two, 0, MSG_NOSIGNAL));
        TRY("sendmmsg", kind, "null", sendmmsg(fd, NULL, 1, MSG_NOSIGNAL));
        TRY("sendmmsg", kind, "null, count 0", sendmmsg(fd, NULL, 0, MSG_NOSIGNAL));
        TRY("sendmmsg", kind, "second is bad", sendmmsg(fd, two, 2, MSG_NOSIGNAL));
    }
}

static void by_option(void)
{
    int number = 1;
    for (int kind = 0; kind < KINDS; kind++) {
        TRY("device", kind, "null", setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, NULL, 0));
        TRY("device", kind, "one", setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, (void *)1, 4));
        TRY("device", kind, "nosuch", setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "nosuch", 6));
        TRY("unicast", kind, "one", setsockopt(fd, IPPROTO_IP, IP_UNICAST_IF, (void *)1, 4));
        TRY("unicast", kind, "short", setsockopt(fd, IPPROTO_IP, IP_UNICAST_IF, &number, 1));
        TRY("option", kind, "alien", setsockopt(fd, 12345, 678, &number, sizeof number));
    }
}

/* What a policy with an interface decides by itself: binding, listening, and going far. */
static void by_network(const char *ip)
{
    struct destination to = destination(ip, "7001");
    struct sockaddr *address = (struct sockaddr *)&to.address;
    for (int kind = 0; kind < KINDS; kind++) {
        TRY("listen", kind, "unbound", listen(fd, 1));
        TRY("listen", kind, "bound",
            (bind(fd, odds[5].address, 2), errno = UNTOUCHED, listen(fd, -1)));
        for (int n = 0; n < count_of_odds; n++)
            TRY("bind", kind, odds[n].name, bind(fd, odds[n].address, odds[n].length));
        TRY("connect", kind, "far", connect(fd, address, to.length));
        TRY("sendto", kind, "far", sendto(fd, "x", 1, MSG_NOSIGNAL, address, to.length));
        TRY("bind", kind, "far", bind(fd, address, to.length));
    }
}

int main(int count, char **words)
{
    printf("errno at the start: %d\n", errno);
    addresses();
    by_address();
    by_message();
    by_option();
    for (int n = 1; n < count; n++)
        by_network(words[n]);
}
