/* A call by a thread that has been cancelled already: cancelled CALL NAME ADDRESS
 *
 * Every place within the call where a thread may end is one where it does; behind the call there
 * is another. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <pthread.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *name;
static struct sockaddr_in to = {.sin_family = AF_INET};
static struct iovec bytes = {"x", 1};
static struct msghdr message = {
    .msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &bytes, .msg_iovlen = 1};

static void by_getaddrinfo(void)
{
    struct addrinfo *list;
    if (getaddrinfo(name, "80", NULL, &list) == 0)
        freeaddrinfo(list);
}

static void by_gethostbyname(void)
{
    gethostbyname(name);
}

static void by_gethostbyaddr(void)
{
    gethostbyaddr(&to.sin_addr, sizeof to.sin_addr, AF_INET);
}

static void by_getnameinfo(void)
{
    char host[NI_MAXHOST];
    getnameinfo((struct sockaddr *)&to, sizeof to, host, sizeof host, NULL, 0, 0);
}

static void by_res_query(void)
{
    unsigned char answer[512];
    res_query(name, 1, 1, answer, sizeof answer);
}

static int datagrams(void)
{
    return socket(AF_INET, SOCK_DGRAM, 0);
}

static void by_connect(void)
{
    connect(datagrams(), (struct sockaddr *)&to, sizeof to);
}

static void by_sendto(void)
{
    sendto(datagrams(), "x", 1, 0, (struct sockaddr *)&to, sizeof to);
}

static void by_sendmsg(void)
{
    sendmsg(datagrams(), &message, 0);
}

static void by_sendmmsg(void)
{
    struct mmsghdr messages[] = {{.msg_hdr = message}, {.msg_hdr = message}};
    sendmmsg(datagrams(), messages, 2, 0);
}

static void by_open(void)
{
    open("/etc/resolv.conf", O_RDONLY);
}

static void by_fopen(void)
{
    fopen("/etc/resolv.conf", "r");
}

static void by_if_inet6(void)
{
    open("/proc/net/if_inet6", O_RDONLY);
}

static void by_getifaddrs(void)
{
    struct ifaddrs *list;
    if (getifaddrs(&list) == 0)
        freeifaddrs(list);
}

static void by_system(void)
{
    clearenv();
    if (system("exit 0")) {
    }
}

static void by_popen(void)
{
    clearenv();
    FILE *out = popen("exit 0", "r");
    if (out)
        pclose(out);
}

static void by_execvp(void)
{
    clearenv();
    execlp("/nowhere", "nowhere", NULL);
}

static const struct {
    const char *name;
    void (*call)(void);
} calls[] = {
    {"connect", by_connect},
    {"sendto", by_sendto},
    {"sendmsg", by_sendmsg},
    {"sendmmsg", by_sendmmsg},
    {"open", by_open},
    {"fopen", by_fopen},
    {"getaddrinfo", by_getaddrinfo},
    {"gethostbyname", by_gethostbyname},
    {"gethostbyaddr", by_gethostbyaddr},
    {"getnameinfo", by_getnameinfo},
    {"res_query", by_res_query},
    {"if_inet6", by_if_inet6},
    {"getifaddrs", by_getifaddrs},
    {"system", by_system},
    {"popen", by_popen},
    {"execvp", by_execvp},
};

static void cleaned_up(void *unused)
{
    (void)unused;
    puts("cleaned up");
}

static void *cancelled(void *wanted)
{
    pthread_cleanup_push(cleaned_up, NULL);
    pthread_cancel(pthread_self());
    for (size_t n = 0; n < sizeof calls / sizeof *calls; n++)
        if (strcmp(calls[n].name, wanted) == 0)
            calls[n].call();
    pthread_testcancel();
    puts("not cancelled");
    pthread_cleanup_pop(0);
    return NULL;
}

int main(int count, char **words)
{
    (void)count;
    name = words[2];
    inet_pton(AF_INET, words[3], &to.sin_addr);
    to.sin_port = htons(7);
    pthread_t thread;
    pthread_create(&thread, NULL, cancelled, words[1]);
    pthread_join(thread, NULL);
    return 0;
}
