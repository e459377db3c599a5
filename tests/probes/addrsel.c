/* The functions of RFC 5014: addrsel bind PREFERENCES ADDRESS, or addrsel is ADDRESS FLAGS
 *
 * The first says which address a datagram socket is bound to for ADDRESS. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#ifndef IPV6_ADDR_PREFERENCES
#define IPV6_ADDR_PREFERENCES 72
#endif

int bind2addrsel(int, const struct sockaddr *, socklen_t) __attribute__((weak));
short inet6_is_srcaddr(struct sockaddr_in6 *, uint32_t) __attribute__((weak));

int main(int count, char **words)
{
    (void)count;
    int is = strcmp(words[1], "is") == 0;
    uint32_t flags = (uint32_t)strtoul(words[is ? 3 : 2], NULL, 16);
    struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_port = htons(is ? 0 : 7001)};
    inet_pton(AF_INET6, words[is ? 2 : 3], &at.sin6_addr);
    errno = 0;
    int said, fd = socket(AF_INET6, SOCK_DGRAM, 0);
    if (is) {
        said = inet6_is_srcaddr(&at, flags);
    } else {
        if (flags)
            setsockopt(fd, IPPROTO_IPV6, IPV6_ADDR_PREFERENCES, &flags, sizeof flags);
        said = bind2addrsel(fd, (struct sockaddr *)&at, sizeof at);
    }
    printf("%d%s%s\n", said, said < 0 ? " " : "", said < 0 ? strerrorname_np(errno) : "");
    if (!is && said == 0) {
        struct sockaddr_in6 mine;
        socklen_t length = sizeof mine;
        char text[64];
        getsockname(fd, (struct sockaddr *)&mine, &length);
        puts(inet_ntop(AF_INET6, &mine.sin6_addr, text, sizeof text));
    }
}
