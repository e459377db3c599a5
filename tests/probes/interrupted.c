/* A signal handler that connects to ADDRESS PORT interrupts a blocked CALL, and returns or jumps out
   of it: interrupted CALL return|jump ADDRESS PORT SILENT NAME
   Nothing answers at SILENT, and nothing answers for NAME. Says what each call came to, and that the
   call can be made again. */
#include "tcp.h"
#include <netdb.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <signal.h>

enum { TIMES = 5 };

static struct destination to, silent;
static const char *name;
static volatile sig_atomic_t jumps;
static sigjmp_buf out;
static char said[64];

static void handler(int number)
{
    (void)number;
    int fd = stream_for(&to, 0), before = errno;
    if (connect_to(fd, &to) < 0)
        strcpy(said, strerrorname_np(errno));
    else
        read_peer(fd, said);
    finish(fd);
    errno = before;
    if (jumps)
        siglongjmp(out, 1);
}

static const char *look_up(const char *node)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list;
    int code = getaddrinfo(node, "80", &hints, &list);
    if (code == 0)
        freeaddrinfo(list);
    return code == 0 ? "0" : code == EAI_AGAIN ? "EAI_AGAIN" : gai_strerror(code);
}

static const char *blocked(const char *call)
{
    const char *what = "?";
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (strcmp(call, "connect") == 0)
        what = outcome(connect_to(fd, &silent));
    else if (strcmp(call, "sendto") == 0)
        what = outcome(sendto(fd, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&silent.address,
                              silent.length));
    else
        what = look_up(name);
    close(fd);
    return what;
}

int main(int count, char **words)
{
    (void)count;
    jumps = strcmp(words[2], "jump") == 0;
    to = destination(words[3], words[4]);
    silent = destination(words[5], words[4]);
    name = words[6];
    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGALRM, &action, NULL);
    for (volatile int n = 0; n < TIMES; n = n + 1) {
        /* Again and again, since the first may come before the call has begun. */
        struct itimerval often = {{.tv_usec = 100000}, {.tv_usec = 50000}}, never = {};
        if (sigsetjmp(out, 1) != 0) {
            setitimer(ITIMER_REAL, &never, NULL);
            printf("jumped %s\n", said);
            continue;
        }
        setitimer(ITIMER_REAL, &often, NULL);
        const char *what = blocked(words[1]);
        setitimer(ITIMER_REAL, &never, NULL);
        printf("%s %s\n", what, said);
    }
    printf("then %s\n", look_up("who.test"));
}
