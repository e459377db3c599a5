/* For each line PROTOCOL ADDRESS PORT of standard input: connects a new socket without waiting, and
   says where it was put: the error's name or `ok`, the interface or `-`, the source address. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SIZE(x) ((socklen_t)sizeof(x))

/* The interface that a socket is held on, by whichever option. */
static void interface(int fd, int family, char name[IF_NAMESIZE])
{
    socklen_t length = IF_NAMESIZE;
    int index = 0;
    if (getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &length) == 0 && length > 0)
        return;
    length = SIZE(index);
    if (family == AF_INET)
        getsockopt(fd, IPPROTO_IP, IP_UNICAST_IF, &index, &length);
    else
        getsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_IF, &index, &length);
    if (index == 0 || !if_indextoname(ntohl((uint32_t)index), name))
        strcpy(name, "-");
}

static void one(int type, const char *ip, unsigned port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((in_port_t)port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((in_port_t)port)};
    int is_v4 = inet_pton(AF_INET, ip, &v4.sin_addr) == 1;
    inet_pton(AF_INET6, ip, &v6.sin6_addr);
    int family = is_v4 ? AF_INET : AF_INET6;
    int fd = socket(family, type | SOCK_NONBLOCK, 0);
    struct sockaddr *to = is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
    int failed = connect(fd, to, is_v4 ? SIZE(v4) : SIZE(v6)) != 0 && errno != EINPROGRESS;
    const char *said = failed ? strerrorname_np(errno) : "ok";

    char name[IF_NAMESIZE] = "", source[INET6_ADDRSTRLEN] = "";
    interface(fd, family, name);
    struct sockaddr_storage own = {0};
    socklen_t length = SIZE(own);
    getsockname(fd, (struct sockaddr *)&own, &length);
    const void *address = is_v4 ? (void *)&((struct sockaddr_in *)&own)->sin_addr
                                : (void *)&((struct sockaddr_in6 *)&own)->sin6_addr;
    inet_ntop(family, address, source, sizeof(source));
    printf("%s %s %s\n", said, name, source);
    close(fd);
}

int main(void)
{
    char protocol[8], ip[64];
    unsigned port;
    while (scanf("%7s %63s %u", protocol, ip, &port) == 3)
        one(strcmp(protocol, "udp") == 0 ? SOCK_DGRAM : SOCK_STREAM, ip, port);
}
