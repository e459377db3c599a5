/* Connects to ADDRESS PORT in a signal handler, again and again, while the program itself
   allocates: a handler may interrupt malloc at any place. Says which answers came. */
#include "tcp.h"
#include <signal.h>

enum { TIMES = 20 };

static struct destination to;
static volatile sig_atomic_t done;
static char said[TIMES][64];

static void handler(int number)
{
    (void)number;
    if (done == TIMES)
        return;
    int fd = stream_for(&to, 0);
    if (connect_to(fd, &to) < 0)
        strcpy(said[done], strerrorname_np(errno));
    else
        read_peer(fd, said[done]);
    finish(fd);
    done = done + 1;
}

int main(int count, char **words)
{
    (void)count;
    to = destination(words[1], words[2]);
    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval often = {.it_interval = {.tv_usec = 1000}, .it_value = {.tv_usec = 1000}};
    setitimer(ITIMER_REAL, &often, NULL);
    void *volatile kept[64] = {NULL};
    for (size_t n = 0; done < TIMES; n++) {
        free(kept[n % 64]);
        kept[n % 64] = malloc(n % 5000);
    }
    for (int n = 0; n < TIMES; n++)
        puts(said[n]);
}
