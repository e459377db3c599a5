/* One name looked up N times by each of THREADS threads, timed from inside:
 *
 *   names FAMILY THREADS N NAME...     FAMILY: unspec inet
 *
 * Prints two figures in nanoseconds: the first look-up of the process, which is made before the
 * others and not counted with them, and one of the others: the median of one thread's, which other
 * programs on the machine disturb least; with several threads the whole time by their number.
 * With 0 threads nothing is timed, for callgrind and strace.
 * Several names are taken by turns.
 *
 * Built with -DARES_KEPT or -DARES_FRESH -lcares, it is c-ares that looks up: by one channel for each
 * thread, or by a new one each time. */
#define _GNU_SOURCE
#if defined ARES_KEPT || defined ARES_FRESH
#include <ares.h>
#include <poll.h>
#endif
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static int family, times, names;
static char **name;
static long long *each;

static long long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

#if defined ARES_KEPT || defined ARES_FRESH
static __thread ares_channel channel;

static void found(void *waits, int status, int timeouts, struct ares_addrinfo *answer)
{
    if (status != ARES_SUCCESS) {
        fprintf(stderr, "c-ares: %s\n", ares_strerror(status));
        exit(1);
    }
    ares_freeaddrinfo(answer);
    *(int *)waits = 0;
}

static void look_up(int which)
{
    /* Without the flag it looks for a service called 80 in /etc/services. */
    struct ares_addrinfo_hints hints = {
        .ai_flags = ARES_AI_NUMERICSERV, .ai_family = family, .ai_socktype = SOCK_STREAM};
    int waits = 1;
    if (!channel && ares_init(&channel) != ARES_SUCCESS)
        exit(1);
    ares_getaddrinfo(channel, name[which % names], "80", &hints, found, &waits);
    while (waits) {
        ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
        struct pollfd polled[ARES_GETSOCK_MAXNUM];
        int wanted = ares_getsock(channel, sockets, ARES_GETSOCK_MAXNUM), count = 0;
        for (int n = 0; n < ARES_GETSOCK_MAXNUM; n++) {
            short events = (ARES_GETSOCK_READABLE(wanted, n) ? POLLIN : 0) |
                           (ARES_GETSOCK_WRITABLE(wanted, n) ? POLLOUT : 0);
            if (events)
                polled[count++] = (struct pollfd){sockets[n], events, 0};
        }
        poll(polled, count, 1000);
        for (int n = 0; n < count; n++)
            if (polled[n].revents)
                ares_process_fd(channel, polled[n].revents & POLLOUT ? ARES_SOCKET_BAD : polled[n].fd,
                                polled[n].revents & POLLOUT ? polled[n].fd : ARES_SOCKET_BAD);
    }
#ifdef ARES_FRESH
    ares_destroy(channel);
    channel = NULL;
#endif
}
#else
static void look_up(int which)
{
    struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM}, *found;
    int code = getaddrinfo(name[which % names], "80", &hints, &found);
    if (code) {
        fprintf(stderr, "%s: %s\n", name[which % names], gai_strerror(code));
        exit(1);
    }
    freeaddrinfo(found);
}
#endif

static void *work(void *nothing)
{
    for (int n = 0; n < times; n++)
        look_up(n);
    return nothing;
}

static int by_size(const void *one, const void *other)
{
    long long a = *(const long long *)one, b = *(const long long *)other;
    return (a > b) - (a < b);
}

static long long median(void)
{
    long long last = now();
    for (int n = 0; n < times; n++) {
        look_up(n);
        long long time = now();
        each[n] = time - last;
        last = time;
    }
    qsort(each, times, sizeof *each, by_size);
    return times ? each[times / 2] : 0;
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return 2;
    family = strcmp(argv[1], "inet") ? AF_UNSPEC : AF_INET;
    int threads = atoi(argv[2]);
    times = atoi(argv[3]);
    name = argv + 4;
    names = argc - 4;

    long long start = now();
    look_up(0);
    long long first = now() - start;

    long long rest = 0;
    if (threads == 0) {
        work(NULL);
    } else if (threads == 1) {
        each = calloc(times + 1, sizeof *each);
        rest = median();
    } else {
        pthread_t all[64];
        start = now();
        for (int n = 0; n < threads; n++)
            pthread_create(&all[n], NULL, work, NULL);
        for (int n = 0; n < threads; n++)
            pthread_join(all[n], NULL);
        rest = (now() - start) / ((long long)threads * times);
    }
    printf("%lld %lld\n", first, rest);
}
