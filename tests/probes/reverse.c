/* Names of addresses in every way: reverse MODE ADDRESS...
 *
 * info       getnameinfo with flags, small buffers and without a host or a service
 * addr       gethostbyaddr; name, aliases, addresses or h_errno
 * ranges     gethostbyaddr_r with buffers of every size from 0
 * odd        calls that nobody is asked about */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static union {
    struct sockaddr any;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
} address;
static socklen_t size;
static const void *bytes;
static int length;

static void read_address(const char *text)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM}, *found;
    if (getaddrinfo(text, "80", &hints, &found))
        exit(2);
    memcpy(&address, found->ai_addr, size = found->ai_addrlen);
    freeaddrinfo(found);
    int is_four = address.any.sa_family == AF_INET;
    bytes = is_four ? (void *)&address.four.sin_addr : (void *)&address.six.sin6_addr;
    length = is_four ? 4 : 16;
}

static void print_host(const struct hostent *host)
{
    char text[64];
    printf("%s %d", host->h_name, host->h_length);
    for (char **alias = host->h_aliases; *alias; alias++)
        printf(" alias %s", *alias);
    for (char **one = host->h_addr_list; *one; one++)
        printf(" %s", inet_ntop(host->h_addrtype, *one, text, sizeof text));
    printf("\n");
}

static void info(void)
{
    int flags[] = {0, NI_NAMEREQD, NI_NUMERICHOST, NI_NUMERICSERV, NI_NOFQDN, NI_DGRAM, NI_IDN,
                   NI_NUMERICHOST | NI_NAMEREQD, 1 << 20};
    for (size_t n = 0; n < sizeof flags / sizeof *flags; n++) {
        char host[NI_MAXHOST] = "kept", service[NI_MAXSERV] = "kept";
        int code = getnameinfo(&address.any, size, host, sizeof host, service, sizeof service, flags[n]);
        printf("%x: %d %s %s\n", flags[n], code, code ? "" : host, code ? "" : service);
    }
    for (int room = 0; room < 20; room += room < 8 ? 7 : 1) {
        char host[64], service[8];
        memset(host, 'x', sizeof host);
        host[sizeof host - 1] = 0;
        int code = getnameinfo(&address.any, size, host, room, NULL, 0, 0);
        printf("%d: %d %s %s\n", room, code, code ? "" : host, host + room + 1);
        code = getnameinfo(&address.any, size, NULL, 0, service, room < 8 ? room : 8, 0);
        printf("%d: %d %s\n", room, code, code || !room ? "" : service);
    }
}

static void addr(void)
{
    struct hostent *host = gethostbyaddr(bytes, length, address.any.sa_family);
    if (host)
        print_host(host);
    else
        printf("h_errno %d\n", h_errno);
}

static void ranges(void)
{
    int error = 99, again = 0;
    for (size_t room = 0;; room++) {
        /* Exactly as large as said, so that valgrind sees what is behind it. */
        char *buffer = malloc(room ? room : 1);
        struct hostent host, *result = (struct hostent *)buffer;
        int code = gethostbyaddr_r(bytes, length, address.any.sa_family, &host, buffer, room,
                                   &result, &error);
        if (code == ERANGE && result == NULL && error == NETDB_INTERNAL) {
            again++;
            free(buffer);
            continue;
        }
        printf("%d after %s: ", code, again > 8 && again < 2048 ? "some tries" : "wrong tries");
        if (result == &host)
            print_host(result);
        else
            printf("no result, %d\n", error);
        free(buffer);
        break;
    }
}

static void odd(void)
{
    char host[64];
    h_errno = 99;
    printf("%d", gethostbyaddr(bytes, 3, address.any.sa_family) != NULL);
    printf(" %d", h_errno);
    printf(" %d", gethostbyaddr(bytes, length, AF_UNIX) != NULL);
    printf(" %d", gethostbyaddr(&in6addr_any, 16, AF_INET6) != NULL);
    printf(" %d", h_errno);
    printf(" %d", getnameinfo(&address.any, 3, host, sizeof host, NULL, 0, 0));
    printf(" %d", getnameinfo(NULL, size, host, sizeof host, NULL, 0, 0));
    printf(" %d", getnameinfo(&address.any, size, NULL, 0, NULL, 0, 0));
    printf(" %d", getnameinfo(&address.any, size, NULL, 0, NULL, 0, NI_NAMEREQD));
    address.any.sa_family = AF_UNIX;
    printf(" %d\n", getnameinfo(&address.any, sizeof address, host, sizeof host, NULL, 0, 0));
}

int main(int argc, char **argv)
{
    const struct {
        const char *name;
        void (*run)(void);
    } modes[] = {{"info", info}, {"addr", addr}, {"ranges", ranges}, {"odd", odd}};
    for (size_t n = 0; argc > 2 && n < sizeof modes / sizeof *modes; n++)
        for (int arg = 2; arg < argc && strcmp(modes[n].name, argv[1]) == 0; arg++) {
            read_address(argv[arg]);
            modes[n].run();
        }
    return argc > 2 ? 0 : 2;
}
