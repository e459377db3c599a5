/* Messages with odd ancillary data, flags, buffers and counts, to destinations of every kind:
   odd_messages ADDRESS... */
#include "odd.h"
#include <limits.h>
#include <netinet/udp.h>

/* Where a message goes that is otherwise as it should be. */
static struct destination to;
static struct iovec data = {"x", 1};

static struct msghdr fine(void)
{
    return (struct msghdr){&to.address, to.length, &data, 1, NULL, 0, 0};
}

static void by_control(int kind)
{
    enum { ROOM = 256, MUCH = 5000 };
    static const struct {
        const char *name;
        size_t length; /* cmsg_len */
        int level, type;
        size_t all; /* msg_controllen */
        int before; /* behind a piece that is as it should be */
    } pieces[] = {
        {"length 0", 0, IPPROTO_IP, IP_TOS, 24, 0},
        {"length 1", 1, IPPROTO_IP, IP_TOS, 24, 0},
        {"length 15", 15, IPPROTO_IP, IP_TOS, 24, 0},
        {"a header alone", 16, IPPROTO_IP, IP_TOS, 16, 0},
        {"no data", 16, IPPROTO_IP, IP_TOS, 24, 0},
        {"one byte", 17, IPPROTO_IP, IP_TOS, 24, 0},
        {"half an integer", 18, IPPROTO_IP, IP_TOS, 24, 0},
        {"an integer", 20, IPPROTO_IP, IP_TOS, 24, 0},
        {"an integer, not padded", 20, IPPROTO_IP, IP_TOS, 20, 0},
        {"a hop limit", 20, IPPROTO_IPV6, IPV6_HOPLIMIT, 24, 0},
        {"beyond the end by 1", 25, IPPROTO_IP, IP_TOS, 24, 0},
        {"beyond the end by 6", 30, IPPROTO_IP, IP_TOS, 24, 0},
        {"beyond the end by 32", 56, IPPROTO_IP, IP_TOS, 24, 0},
        {"far beyond the end", 4096, IPPROTO_IP, IP_TOS, 24, 0},
        {"negative", (size_t)-1, IPPROTO_IP, IP_TOS, 24, 0},
        {"as long as can be", SIZE_MAX / 2, IPPROTO_IP, IP_TOS, 24, 0},
        {"a header cut", 20, IPPROTO_IP, IP_TOS, 15, 0},
        {"a length alone", 20, IPPROTO_IP, IP_TOS, 8, 0},
        {"second of length 0", 0, IPPROTO_IP, IP_TOS, 24, 1},
        {"second beyond the end", 30, IPPROTO_IP, IP_TOS, 24, 1},
        {"second beyond the end by 32", 56, IPPROTO_IP, IP_TOS, 24, 1},
        {"second cut", 20, IPPROTO_IP, IP_TOS, 15, 1},
        {"unknown level", 20, 12345, 678, 24, 0},
        {"unknown type", 20, IPPROTO_IP, 678, 24, 0},
        {"unknown type of the socket", 20, SOL_SOCKET, 678, 24, 0},
        {"no such file", 20, SOL_SOCKET, SCM_RIGHTS, 24, 0},
        {"segments", 18, IPPROTO_UDP, UDP_SEGMENT, 24, 0},
        {"segments of four bytes", 20, IPPROTO_UDP, UDP_SEGMENT, 24, 0},
        {"short packet information", 20, IPPROTO_IP, IP_PKTINFO, 24, 0},
        {"packet information", 28, IPPROTO_IP, IP_PKTINFO, 32, 0},
        {"long packet information", 32, IPPROTO_IP, IP_PKTINFO, 32, 0},
        {"short packet information 6", 32, IPPROTO_IPV6, IPV6_PKTINFO, 32, 0},
        {"packet information 6", 36, IPPROTO_IPV6, IPV6_PKTINFO, 40, 0},
        {"much of it", 20, IPPROTO_IP, IP_TOS, MUCH, 0},
        {"too much of it", 20, IPPROTO_IP, IP_TOS, 1 << 20, 0},
        {"more than an integer", 20, IPPROTO_IP, IP_TOS, (size_t)INT_MAX + 1, 0},
    };
    static _Alignas(8) char control[MUCH];
    for (size_t n = 0; n < sizeof pieces / sizeof *pieces; n++) {
        memset(control, 0, sizeof control);
        struct cmsghdr *piece = (struct cmsghdr *)control;
        size_t before = 0;
        if (pieces[n].before) {
            *piece = (struct cmsghdr){CMSG_LEN(4), IPPROTO_IP, IP_TTL};
            *CMSG_DATA(piece) = 64;
            before = CMSG_SPACE(4);
            piece = (struct cmsghdr *)(control + before);
        }
        *piece = (struct cmsghdr){pieces[n].length, pieces[n].level, pieces[n].type};
        struct msghdr message = fine();
        message.msg_control = control;
        message.msg_controllen = before + pieces[n].all;
        TRY("sendmsg", kind, pieces[n].name, sendmsg(fd, &message, MSG_NOSIGNAL));
        struct mmsghdr two[2] = {{fine(), 0}, {message, 0}};
        TRY("sendmmsg", kind, pieces[n].name, sendmmsg(fd, two, 2, MSG_NOSIGNAL));
        int kept = memcmp(&two[1].msg_hdr, &message, sizeof message) == 0;
        printf("lengths %u %u, kept %d\n", two[0].msg_len, two[1].msg_len, kept);
    }
}

static void by_flags(int kind)
{
    static const struct {
        const char *name;
        int bits;
    } flags[] = {{"PEEK", MSG_PEEK}, {"OOB", MSG_OOB}, {"ERRQUEUE", MSG_ERRQUEUE},
                 {"PROBE", 0x10}, {"CONFIRM", MSG_CONFIRM}, {"MORE", MSG_MORE},
                 {"EOR", MSG_EOR}, {"TRUNC", MSG_TRUNC}, {"CTRUNC", MSG_CTRUNC},
                 {"WAITALL", MSG_WAITALL}, {"SYN", MSG_SYN}, {"RST", MSG_RST}, {"FIN", MSG_FIN},
                 {"DONTWAIT", MSG_DONTWAIT}, {"ZEROCOPY", MSG_ZEROCOPY}, {"BATCH", 0x40000},
                 {"no such", 0x100000}, {"kernel's own", 0x8000000}, {"compat", INT_MIN}};
    for (size_t n = 0; n < sizeof flags / sizeof *flags; n++) {
        int bits = flags[n].bits | MSG_NOSIGNAL;
        struct msghdr message = fine();
        struct mmsghdr two[2] = {{message, 0}, {message, 0}};
        TRY("sendto", kind, flags[n].name,
            sendto(fd, "x", 1, bits, (struct sockaddr *)&to.address, to.length));
        TRY("sendmsg", kind, flags[n].name, sendmsg(fd, &message, bits));
        TRY("sendmmsg", kind, flags[n].name, sendmmsg(fd, two, 2, bits));
        message.msg_flags = bits;
        TRY("msg_flags", kind, flags[n].name, sendmsg(fd, &message, MSG_NOSIGNAL));
        printf("flags %x, lengths %u %u\n", message.msg_flags, two[0].msg_len, two[1].msg_len);
    }
}

static void by_buffers(int kind)
{
    static char much[70000];
    static struct iovec many[1025];
    for (size_t n = 0; n < sizeof many / sizeof *many; n++)
        many[n] = (struct iovec){much, 1};
    struct iovec nothing = {NULL, 0}, null = {NULL, 4}, one = {(void *)1, 4}, far = {much, SIZE_MAX},
                 long_one = {much, sizeof much}, largest = {much, 65507};
    const struct {
        const char *name;
        struct iovec *first;
        size_t count;
    } buffers[] = {{"none", NULL, 0}, {"null", NULL, 1}, {"null, many", NULL, 1025},
                   {"a bad pointer", (void *)1, 1}, {"of no bytes", &nothing, 1},
                   {"of null", &null, 1}, {"of one", &one, 1}, {"negative", &far, 1},
                   {"too long", &long_one, 1}, {"as long as can be", &largest, 1},
                   {"1024", many, 1024}, {"1025", many, 1025}, {"negative many", many, SIZE_MAX}};
    for (size_t n = 0; n < sizeof buffers / sizeof *buffers; n++) {
        struct msghdr message = fine();
        message.msg_iov = buffers[n].first;
        message.msg_iovlen = buffers[n].count;
        TRY("sendmsg", kind, buffers[n].name, sendmsg(fd, &message, MSG_NOSIGNAL));
        struct mmsghdr two[2] = {{message, 0}, {fine(), 0}};
        TRY("sendmmsg", kind, buffers[n].name, sendmmsg(fd, two, 2, MSG_NOSIGNAL));
        printf("lengths %u %u\n", two[0].msg_len, two[1].msg_len);
        if (buffers[n].count == 1 && buffers[n].first > (struct iovec *)1)
            TRY("sendto", kind, buffers[n].name,
                sendto(fd, buffers[n].first->iov_base, buffers[n].first->iov_len, MSG_NOSIGNAL,
                       (struct sockaddr *)&to.address, to.length));
    }
}

/* How many are sent where one of them, or none, has too many buffers; and what is written where. */
static void by_count(int kind)
{
    enum { MOST = 1100 };
    static const unsigned counts[] = {0, 1, 2, 15, 16, 17, 33, 1024, 1025, 1100};
    static const unsigned bad[] = {0, 1, 15, 16, 17, 31, 32, MOST};
    static struct mmsghdr all[MOST];
    for (size_t n = 0; n < sizeof counts / sizeof *counts; n++) {
        for (size_t b = 0; b < sizeof bad / sizeof *bad; b++) {
            if (bad[b] != MOST && (bad[b] >= counts[n] || counts[n] > 100))
                continue;
            for (int m = 0; m < MOST; m++)
                all[m] = (struct mmsghdr){fine(), 4711};
            if (bad[b] < MOST)
                all[bad[b]].msg_hdr.msg_iovlen = 5000;
            char what[64];
            snprintf(what, sizeof what, "%u, bad at %u", counts[n], bad[b]);
            TRY("sendmmsg", kind, what, sendmmsg(fd, all, counts[n], MSG_NOSIGNAL));
            unsigned written = 0, untouched = 0;
            for (int m = 0; m < MOST; m++) {
                written += all[m].msg_len == 1;
                untouched += all[m].msg_len == 4711;
            }
            printf("lengths %u %u\n", written, untouched);
        }
    }
    TRY("sendmmsg", kind, "negative", sendmmsg(fd, all, UINT_MAX, MSG_NOSIGNAL));
}

static void by_port(int kind)
{
    struct destination none = to;
    ((struct sockaddr_in *)&none.address)->sin_port = 0;
    const struct sockaddr *address = (struct sockaddr *)&none.address;
    TRY("connect", kind, "port 0", connect(fd, address, none.length));
    TRY("sendto", kind, "port 0", sendto(fd, "x", 1, MSG_NOSIGNAL, address, none.length));
    struct sockaddr_in6 *scoped = (struct sockaddr_in6 *)&none.address;
    if (none.length != sizeof *scoped)
        return;
    scoped->sin6_port = htons(9);
    scoped->sin6_scope_id = 4711;
    scoped->sin6_flowinfo = htonl(0x12345);
    TRY("connect", kind, "scoped", connect(fd, address, none.length));
    TRY("sendto", kind, "scoped", sendto(fd, "x", 1, MSG_NOSIGNAL, address, none.length));
}

int main(int count, char **words)
{
    is_far = 1;
    for (int word = 1; word < count; word++) {
        to = destination(words[word], "9");
        printf("to %s\n", words[word]);
        for (int kind = 0; kind < KINDS; kind++) {
            by_port(kind);
            by_control(kind);
            by_flags(kind);
            by_buffers(kind);
            by_count(kind);
        }
    }
}
