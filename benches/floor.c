/* The least that a preload can do and still steer: what libmif is measured against.
 *
 * Without FLOOR_DEVICE it hands every call on. With it, a connect gets SO_BINDTODEVICE and a
 * datagram with a destination IP_PKTINFO, whatever the destination is: no policy, no exemption of
 * loopback, no look at what the application itself bound. IPv4 only. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static int (*real_connect)(int, const struct sockaddr *, socklen_t);
static ssize_t (*real_sendto)(int, const void *, size_t, int, const struct sockaddr *, socklen_t);
static ssize_t (*real_sendmsg)(int, const struct msghdr *, int);
static const char *device;
static socklen_t device_length;
static unsigned device_index;

__attribute__((constructor)) static void find(void)
{
    real_connect = dlsym(RTLD_NEXT, "connect");
    real_sendto = dlsym(RTLD_NEXT, "sendto");
    real_sendmsg = dlsym(RTLD_NEXT, "sendmsg");
    device = getenv("FLOOR_DEVICE");
    if (device) {
        device_length = strlen(device);
        device_index = if_nametoindex(device);
    }
}

int connect(int fd, const struct sockaddr *address, socklen_t length)
{
    if (device && address->sa_family == AF_INET)
        setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, device_length);
    return real_connect(fd, address, length);
}

ssize_t sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *address, socklen_t length)
{
    if (!device || !address || address->sa_family != AF_INET)
        return real_sendto(fd, data, size, flags, address, length);
    union {
        char room[CMSG_SPACE(sizeof(struct in_pktinfo))];
        struct cmsghdr header;
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo)), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO}};
    ((struct in_pktinfo *)CMSG_DATA(&control.header))->ipi_ifindex = device_index;
    struct iovec buffer = {(void *)data, size};
    struct msghdr message = {(void *)address, length, &buffer, 1, &control, sizeof control, 0};
    return real_sendmsg(fd, &message, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    return real_sendmsg(fd, message, flags);
}
