/* Datagrams from a process that a timer interrupts every 50 microseconds: interrupted_sends ADDRESS PORT
 * COUNT. Says how many were sent, and how many answers came: one for each that arrived. */
#include "tcp.h"
#include <poll.h>
#include <signal.h>

static void handle(int number)
{
    (void)number;
}

int main(int argc, char **argv)
{
    struct sigaction act = {.sa_handler = handle, .sa_flags = SA_RESTART};
    struct itimerval often = {{0, 50}, {0, 50}}, never = {};
    int sent = 0, answered = 0, room = 4 << 20;
    if (argc != 4)
        return 2;
    struct destination to = destination(argv[1], argv[2]);
    int fd = socket(to.address.ss_family, SOCK_DGRAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    sigaction(SIGALRM, &act, NULL);
    for (int n = 0; n < atoi(argv[3]); n++) {
        char answer[100];
        setitimer(ITIMER_REAL, &often, NULL);
        sent += sendto(fd, "x", 1, 0, (struct sockaddr *)&to.address, to.length) == 1;
        setitimer(ITIMER_REAL, &never, NULL);
        /* What comes twice comes at once. */
        for (int patience = 3000; poll(&ready, 1, patience) == 1; patience = 0)
            answered += recv(fd, answer, sizeof answer, MSG_DONTWAIT) > 0;
    }
    while (poll(&ready, 1, 200) == 1) {
        char answer[100];
        answered += recv(fd, answer, sizeof answer, MSG_DONTWAIT) > 0;
    }
    printf("%d %d\n", sent, answered);
    return 0;
}
