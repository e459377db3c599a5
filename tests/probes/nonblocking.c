/* A non-blocking connect to ADDRESS PORT, and connect again while it is in progress and after it
   has completed: one outcome a line, and last the peer that the far end saw. */
#include "tcp.h"
#include <fcntl.h>
#include <poll.h>

int main(int count, char **words)
{
    (void)count;
    struct destination to = destination(words[1], words[2]);
    int fd = stream_for(&to, SOCK_NONBLOCK);
    puts(outcome(connect_to(fd, &to)));
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    if (poll(&ready, 1, 300) == 0) {
        printf("in progress: %s\n", outcome(connect_to(fd, &to)));
        return 0;
    }
    int error = -1;
    socklen_t length = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
    printf("SO_ERROR %d\n", error);
    puts(outcome(connect_to(fd, &to)));
    puts(outcome(connect_to(fd, &to)));
    ready.events = POLLIN;
    poll(&ready, 1, 2000);
    char peer[64];
    read_peer(fd, peer);
    puts(peer);
    fcntl(fd, F_SETFL, 0);
    finish(fd);
}
