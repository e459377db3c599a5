/* A thread that goes to the network namespace at PATH: moved ADDRESS PORT PATH
   Says which peers a connection and a datagram to ADDRESS PORT came from before, there, and by a
   thread that has stayed, in turns. */
#include "tcp.h"
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>

static char **arguments;
static pthread_barrier_t turn;

static void ask(const char *where)
{
    char tcp[64], udp[64];
    struct destination to = destination(arguments[1], arguments[2]);
    int fd = socket(to.address.ss_family, SOCK_DGRAM, 0);
    struct timeval limit = {2, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (sendto(fd, "?", 1, 0, (struct sockaddr *)&to.address, to.length) < 0)
        strcpy(udp, strerrorname_np(errno));
    else
        read_peer(fd, udp);
    close(fd);
    try_connect(arguments[1], arguments[2], tcp);
    printf("%s: %s %s\n", where, tcp, udp);
}

static void *stays(void *unused)
{
    for (int n = 0; n < 3; n++) {
        pthread_barrier_wait(&turn);
        ask("stayed");
        pthread_barrier_wait(&turn);
    }
    return unused;
}

int main(int count, char **words)
{
    (void)count;
    arguments = words;
    pthread_t thread;
    pthread_barrier_init(&turn, NULL, 2);
    pthread_create(&thread, NULL, stays, NULL);
    ask("before");
    if (setns(open(words[3], O_RDONLY), CLONE_NEWNET) != 0)
        return 2;
    for (int n = 0; n < 3; n++) {
        ask("there");
        pthread_barrier_wait(&turn);
        pthread_barrier_wait(&turn);
    }
    pthread_join(thread, NULL);
}
