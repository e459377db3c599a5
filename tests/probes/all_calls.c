/* Each of the hooked calls once: all_calls ADDRESS4 ADDRESS6 PORT NAME. Says what they came to; of the
   connections, which peer the far end saw. Built with ASan, or run by valgrind, nothing else is said. */
#include "tcp.h"
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <resolv.h>

static void datagrams(const struct destination *to)
{
    int fd = socket(to->address.ss_family, SOCK_DGRAM, 0), on = 1;
    struct iovec bytes = {"?", 1};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr alignment;
    } control = {};
    struct msghdr message = {
        .msg_name = (void *)&to->address, .msg_namelen = to->length, .msg_iov = &bytes,
        .msg_iovlen = 1};
    struct mmsghdr messages[20];
    for (int n = 0; n < 20; n++)
        messages[n].msg_hdr = message;
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
    struct cmsghdr *first = CMSG_FIRSTHDR(&message);
    first->cmsg_level = to->address.ss_family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
    first->cmsg_type = to->address.ss_family == AF_INET ? IP_TTL : IPV6_HOPLIMIT;
    first->cmsg_len = CMSG_LEN(sizeof on);
    *(int *)CMSG_DATA(first) = 64;
    const struct sockaddr *name = (const struct sockaddr *)&to->address;
    printf("%s", outcome(setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof on)));
    printf(" %s", outcome(sendto(fd, "?", 1, 0, name, to->length)));
    printf(" %s", outcome(sendmsg(fd, &message, 0)));
    printf(" %d", sendmmsg(fd, messages, 20, 0));
    printf(" %s\n", outcome(connect_to(fd, to)));
}

static void listener(int family, int type)
{
    struct sockaddr_storage any = {.ss_family = (sa_family_t)family};
    int fd = socket(family, type, 0);
    printf("%s", outcome(bind(fd, (struct sockaddr *)&any, sizeof any)));
    if (type == SOCK_STREAM)
        printf(" %s", outcome(listen(fd, 5)));
    puts("");
}

static void names(const char *name)
{
    unsigned char answer[512];
    char text[NI_MAXHOST];
    struct addrinfo hints = {.ai_flags = AI_CANONNAME, .ai_socktype = SOCK_STREAM}, *list = NULL;
    printf("%d", getaddrinfo(name, "80", &hints, &list));
    for (struct addrinfo *node = list; node; node = node->ai_next)
        printf(" %d", getnameinfo(node->ai_addr, node->ai_addrlen, text, sizeof text, NULL, 0, 0));
    if (list != NULL)
        freeaddrinfo(list);
    printf(" %d", getaddrinfo("nosuch.test", "80", &hints, &list));
    struct hostent *host = gethostbyname(name);
    printf(" %d", host != NULL);
    if (host != NULL)
        printf(" %d", gethostbyaddr(host->h_addr, 4, AF_INET) != NULL);
    printf(" %d\n", res_query(name, 1, 1, answer, sizeof answer) > 0);
}

static void lists(void)
{
    char line[128];
    FILE *file = fopen("/etc/resolv.conf", "re");
    printf("%d", file != NULL && fgets(line, sizeof line, file) != NULL);
    fclose(file);
    struct ifaddrs *addresses = NULL;
    printf(" %d", getifaddrs(&addresses));
    freeifaddrs(addresses);
    struct if_nameindex *links = if_nameindex();
    printf(" %d\n", links != NULL);
    if_freenameindex(links);
}

int main(int count, char **words)
{
    (void)count;
    for (int n = 1; n <= 2; n++) {
        char said[64];
        try_connect(words[n], words[3], said);
        puts(said);
        /* To a port where nobody answers. */
        struct destination to = destination(words[n], "9");
        datagrams(&to);
    }
    listener(AF_INET, SOCK_STREAM);
    listener(AF_INET6, SOCK_DGRAM);
    names(words[4]);
    lists();
}
