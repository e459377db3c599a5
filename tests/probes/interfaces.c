/* Lists the host's interfaces and addresses by every way that libc has, and frees the lists.
 *
 *   interfaces list       one line for each entry, `WAY NAME ...`
 *   interfaces short N    SIOCGIFCONF with room for N entries
 *   interfaces often N    all lists N times; what stays allocated
 *   interfaces odd        other requests and bad arguments of ioctl, with results and errno */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <malloc.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int quiet;

static const char *text(struct sockaddr *address)
{
    static char buffer[NI_MAXHOST];
    if (!address)
        return "-";
    socklen_t size = address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    if (address->sa_family != AF_INET && address->sa_family != AF_INET6)
        return "link";
    return getnameinfo(address, size, buffer, sizeof buffer, NULL, 0, NI_NUMERICHOST) ? "?" : buffer;
}

static void by_getifaddrs(void)
{
    struct ifaddrs *list = NULL;
    if (getifaddrs(&list)) {
        perror("getifaddrs");
        exit(1);
    }
    for (struct ifaddrs *entry = list; entry; entry = entry->ifa_next)
        if (!quiet) {
            printf("getifaddrs %s %x %s", entry->ifa_name, entry->ifa_flags, text(entry->ifa_addr));
            printf(" %s", text(entry->ifa_netmask));
            printf(" %s %d\n", text(entry->ifa_broadaddr), entry->ifa_data != NULL);
        }
    freeifaddrs(list);
}

static void by_if_nameindex(void)
{
    struct if_nameindex *list = if_nameindex();
    if (!list) {
        perror("if_nameindex");
        exit(1);
    }
    for (struct if_nameindex *entry = list; entry->if_index || entry->if_name; entry++)
        if (!quiet)
            printf("if_nameindex %s %u\n", entry->if_name, entry->if_index);
    if_freenameindex(list);
}

static void by_ioctl(int room)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    /* Without a buffer the length does not count, but valgrind thinks that it does. */
    struct ifconf conf = {.ifc_len = room < 0 ? 0 : 77, .ifc_buf = NULL};
    if (ioctl(fd, SIOCGIFCONF, &conf)) {
        perror("SIOCGIFCONF");
        exit(1);
    }
    int all = conf.ifc_len / (int)sizeof(struct ifreq);
    if (room < 0)
        room = all;
    /* What is behind the room stays as it is. */
    struct ifreq *list = malloc((room + 1) * sizeof *list);
    memset(list, 0x55, (room + 1) * sizeof *list);
    conf = (struct ifconf){.ifc_len = room * (int)sizeof *list, .ifc_req = list};
    if (ioctl(fd, SIOCGIFCONF, &conf)) {
        perror("SIOCGIFCONF");
        exit(1);
    }
    int count = conf.ifc_len / (int)sizeof(struct ifreq);
    for (int i = 0; i < count; i++)
        if (!quiet)
            printf("SIOCGIFCONF %s %s\n", list[i].ifr_name, text(&list[i].ifr_addr));
    if (((unsigned char *)&list[room])[0] != 0x55)
        puts("SIOCGIFCONF wrote behind the buffer");
    free(list);
    close(fd);
}

static void by_file(void)
{
    char line[256];
    FILE *file = fopen("/proc/net/if_inet6", "r");
    while (file && fgets(line, sizeof line, file)) {
        char *name = strrchr(line, ' ') + 1;
        name[strlen(name) - 1] = 0;
        if (!quiet)
            printf("if_inet6 %s %.32s\n", name, line);
    }
    if (file)
        fclose(file);
    /* The same by descriptor, which is not written to. */
    int fd = open("/proc/net/if_inet6", O_RDONLY | O_CLOEXEC), other = open("/proc/net/if_inet6", O_RDWR);
    size_t size = 0;
    for (ssize_t more; (more = read(fd, line, sizeof line)) > 0; size += more)
        ;
    if (!quiet)
        printf("bytes - %zu\n", size);
    close(fd);
    close(other);
}

static void odd(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0), unread = -1;
    struct ifreq request = {.ifr_name = "wan0"};
    struct ifconf conf = {.ifc_len = -8, .ifc_req = &request};
    void *last = NULL;
    struct {
        const char *what;
        int fd;
        unsigned long request;
        void *argument;
    } calls[] = {
        {"FIONREAD", fd, FIONREAD, &unread},
        {"SIOCGIFADDR", fd, SIOCGIFADDR, &request},
        {"SIOCGIFINDEX", fd, SIOCGIFINDEX, &request},
        {"an unknown request", fd, 0xdeadbeef, &request},
        {"no terminal", fd, TCGETS, &request},
        {"SIOCGIFCONF, no descriptor", -1, SIOCGIFCONF, &conf},
        {"SIOCGIFCONF, no socket", 0, SIOCGIFCONF, &conf},
        {"SIOCGIFCONF, negative length", fd, SIOCGIFCONF, &conf},
        {"SIOCGIFCONF, null", fd, SIOCGIFCONF, last},
    };
    for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++) {
        errno = 0;
        int result = ioctl(calls[i].fd, calls[i].request, calls[i].argument);
        printf("%s: %d, errno %d, %d, %d\n", calls[i].what, result, errno, unread, conf.ifc_len);
    }
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    int count = argc > 2 ? atoi(argv[2]) : 1;
    if (!strcmp(argv[1], "odd")) {
        odd();
        return 0;
    }
    if (!strcmp(argv[1], "short")) {
        by_ioctl(count);
        return 0;
    }
    quiet = !strcmp(argv[1], "often");
    size_t used = 0;
    for (int i = 0; i <= count; i++) {
        errno = 0;
        by_getifaddrs();
        by_if_nameindex();
        by_ioctl(-1);
        by_file();
        if (!quiet)
            return 0;
        /* The first round has made what stays, such as the output's buffer. */
        if (i == 0)
            used = mallinfo2().uordblks;
    }
    printf("%zd bytes stay\n", (ssize_t)(mallinfo2().uordblks - used));
    return 0;
}
