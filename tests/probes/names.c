/* Look-ups as no program makes them: names MODE NAME...
 *
 * free       getaddrinfo with and without hints, lists cut, joined and freed in every way
 * ranges     gethostbyname_r and gethostbyname2_r with buffers of every size from 0
 * again      100 look-ups; the open descriptors and threads before and after
 * kept       failing look-ups with a marked result; the code, and whether the mark is still there
 * hints      odd hints for NAME; the codes
 * service    NAME with services; family, type, protocol and port of each node
 * host       gethostbyname NAME and gethostbyname2 for IPv6; name, addresses or h_errno */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *code(int value)
{
    switch (value) {
    case 0: return "0";
    case EAI_BADFLAGS: return "EAI_BADFLAGS";
    case EAI_NONAME: return "EAI_NONAME";
    case EAI_AGAIN: return "EAI_AGAIN";
    case EAI_FAIL: return "EAI_FAIL";
    case EAI_FAMILY: return "EAI_FAMILY";
    case EAI_SOCKTYPE: return "EAI_SOCKTYPE";
    case EAI_SERVICE: return "EAI_SERVICE";
    case EAI_NODATA: return "EAI_NODATA";
    case EAI_SYSTEM: return "EAI_SYSTEM";
    default: return "another code";
    }
}

static int length(const struct addrinfo *list)
{
    int count = 0;
    for (; list; list = list->ai_next)
        count++;
    return count;
}

static void free_lists(const char *name)
{
    struct addrinfo hints = {.ai_flags = AI_CANONNAME | AI_ADDRCONFIG, .ai_socktype = SOCK_STREAM};
    struct addrinfo *whole, *cut, *rest, *other;
    if (getaddrinfo(name, "80", NULL, &whole) || getaddrinfo(name, NULL, &hints, &cut) ||
        getaddrinfo(name, "http", &hints, &other))
        exit(1);
    printf("%d %d %d %s\n", length(whole), length(cut), length(other), cut->ai_canonname);
    freeaddrinfo(whole);
    rest = cut->ai_next;
    cut->ai_next = other;
    freeaddrinfo(cut);
    freeaddrinfo(rest);
}

static void print_host(const struct hostent *host)
{
    char text[64];
    printf("%s %d", host->h_name, host->h_length);
    for (char **alias = host->h_aliases; *alias; alias++)
        printf(" alias %s", *alias);
    for (char **address = host->h_addr_list; *address; address++)
        printf(" %s", inet_ntop(host->h_addrtype, *address, text, sizeof text));
    printf("\n");
}

static void ranges(const char *name)
{
    for (int six = 0; six < 2; six++) {
        int family = six ? AF_INET6 : AF_INET, error = 99, again = 0;
        for (size_t size = 0;; size++) {
            /* Exactly as large as said, so that valgrind sees what is behind it. */
            char *buffer = malloc(size ? size : 1);
            struct hostent host, *result = (struct hostent *)buffer;
            int value = six ? gethostbyname2_r(name, family, &host, buffer, size, &result, &error)
                            : gethostbyname_r(name, &host, buffer, size, &result, &error);
            if (value == ERANGE && result == NULL && error == NETDB_INTERNAL) {
                again++;
                free(buffer);
                continue;
            }
            printf("%d after %s: ", value, again > 8 && again < 2048 ? "some tries" : "wrong tries");
            if (result == &host)
                print_host(result);
            else
                printf("no result, %d\n", error);
            free(buffer);
            break;
        }
    }
}

static int count(const char *directory)
{
    int entries = 0;
    DIR *open = opendir(directory);
    while (open && readdir(open))
        entries++;
    closedir(open);
    return entries;
}

static void again(const char *name)
{
    int files = count("/proc/self/fd"), threads = count("/proc/self/task");
    int most = threads;
    for (int n = 0; n < 100; n++) {
        struct addrinfo *list;
        if (getaddrinfo(name, "80", NULL, &list) == 0)
            freeaddrinfo(list);
        int now = count("/proc/self/task");
        most = now > most ? now : most;
    }
    printf("%+d descriptors, %+d threads\n", count("/proc/self/fd") - files, most - threads);
}

static void kept(const char *name)
{
    struct addrinfo mark, *result = &mark;
    int value = getaddrinfo(name, NULL, NULL, &result);
    printf("%s %s\n", code(value), result == &mark ? "kept" : "changed");
    if (value == 0)
        freeaddrinfo(result);
}

static void hints(const char *name)
{
    struct {
        const char *service;
        struct addrinfo hints;
    } odd[] = {
        {NULL, {.ai_flags = 1 << 30}},
        {NULL, {.ai_family = 999}},
        {NULL, {.ai_socktype = 77}},
        {NULL, {.ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_UDP}},
        {"no-such-service", {.ai_socktype = SOCK_STREAM}},
        {"tftp", {.ai_socktype = SOCK_STREAM}},
        {"http", {.ai_flags = AI_NUMERICSERV}},
        {"99999", {.ai_socktype = SOCK_STREAM}},
        {NULL, {.ai_flags = AI_NUMERICHOST}},
        {"80", {.ai_socktype = SOCK_RAW}},
        {"http", {.ai_socktype = SOCK_RAW}},
    };
    for (size_t n = 0; n < sizeof odd / sizeof *odd; n++) {
        struct addrinfo *result = NULL;
        int value = getaddrinfo(name, odd[n].service, &odd[n].hints, &result);
        printf("%s %d\n", code(value), length(result));
        if (value == 0)
            freeaddrinfo(result);
    }
}

static void service(const char *name)
{
    const char *services[] = {"http", "domain", "tftp", "7001", NULL};
    for (int n = 0; n < 5; n++) {
        struct addrinfo *list = NULL;
        printf("%s:", code(getaddrinfo(name, services[n], NULL, &list)));
        for (struct addrinfo *node = list; node; node = node->ai_next) {
            /* The port is at the same place in both families. */
            struct sockaddr_in *address = (struct sockaddr_in *)node->ai_addr;
            printf(" %d/%d/%d/%d", node->ai_family == AF_INET6 ? 6 : 4, node->ai_socktype,
                   node->ai_protocol, ntohs(address->sin_port));
        }
        printf("\n");
        if (list)
            freeaddrinfo(list);
    }
}

static void host(const char *name)
{
    for (int six = 0; six < 2; six++) {
        struct hostent *found = six ? gethostbyname2(name, AF_INET6) : gethostbyname(name);
        if (found)
            print_host(found);
        else
            printf("h_errno %d\n", h_errno);
    }
}

int main(int argc, char **argv)
{
    const struct {
        const char *name;
        void (*run)(const char *);
    } modes[] = {{"free", free_lists}, {"ranges", ranges}, {"again", again}, {"kept", kept},
                 {"hints", hints}, {"service", service}, {"host", host}};
    for (size_t n = 0; argc > 2 && n < sizeof modes / sizeof *modes; n++)
        for (int arg = 2; arg < argc && strcmp(modes[n].name, argv[1]) == 0; arg++)
            modes[n].run(argv[arg]);
    return argc > 2 ? 0 : 2;
}
