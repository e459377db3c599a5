/* How deep into the stack a CALL goes: stack CALL ROOM. It is made in a coroutine (makecontext(3))
   whose stack has ROOM bytes, above a page that may not be touched; then by a thread with the
   smallest stack there is. Says what each call came to; and, on standard error, the bytes of the
   coroutine's stack that were written to. */
#include "tcp.h"
#include <limits.h>
#include <netdb.h>
#include <pthread.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { PAINT = 0xa5, MOST = 1 << 20 };

static ucontext_t home, coroutine;
static const char *call;
static char said[64];

static void say(long code)
{
    snprintf(said, sizeof said, "%s", outcome(code));
}

static int datagrams(int family)
{
    return socket(family, SOCK_DGRAM, 0);
}

static void make_the_call(void)
{
    struct destination v4 = destination("203.0.113.10", "7001");
    /* Datagrams go to a port that does not answer: nobody would wait for it. */
    struct destination v6 = destination("2001:db8:ff::10", "9");
    struct destination any = destination("::", "0");
    struct sockaddr *at4 = (void *)&v4.address, *at6 = (void *)&v6.address;
    struct sockaddr *at_any = (void *)&any.address;
    struct iovec bytes = {"?", 1};
    struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};
    message.msg_name = at6, message.msg_namelen = v6.length;
    struct mmsghdr messages[2] = {{.msg_hdr = message}, {.msg_hdr = message}};
    if (strcmp(call, "connect") == 0) {
        int fd = stream_for(&v4, 0);
        say(connect(fd, at4, v4.length));
        finish(fd);
    }
    if (strcmp(call, "connect6") == 0)
        say(connect(datagrams(AF_INET6), at6, v6.length));
    else if (strcmp(call, "bind") == 0)
        say(bind(datagrams(AF_INET6), at_any, any.length));
    else if (strcmp(call, "listen") == 0)
        say(listen(stream_for(&v6, 0), 5));
    else if (strcmp(call, "sendto") == 0)
        say(sendto(datagrams(AF_INET6), "?", 1, 0, at6, v6.length));
    else if (strcmp(call, "sendmsg") == 0)
        say(sendmsg(datagrams(AF_INET6), &message, 0));
    else if (strcmp(call, "sendmmsg") == 0)
        say(sendmmsg(datagrams(AF_INET6), messages, 2, 0));
    else if (strcmp(call, "open") == 0)
        say(fopen("/etc/resolv.conf", "r") ? 0 : -1);
    else if (strcmp(call, "getaddrinfo") == 0) {
        struct addrinfo *list;
        snprintf(said, sizeof said, "%d", getaddrinfo("who.test", "80", NULL, &list));
    }
}

static void *by_thread(void *unused)
{
    make_the_call();
    return unused;
}

int main(int count, char **words)
{
    (void)count;
    size_t room = (size_t)atoi(words[2]);
    char *memory = mmap(NULL, MOST, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(memory, 4096, PROT_NONE);
    memset(memory + 4096, PAINT, room);
    call = words[1];
    getcontext(&coroutine);
    coroutine.uc_stack.ss_sp = memory + 4096;
    coroutine.uc_stack.ss_size = room;
    coroutine.uc_link = &home;
    makecontext(&coroutine, make_the_call, 0);
    swapcontext(&home, &coroutine);
    size_t untouched = 0;
    while (untouched < room && memory[4096 + untouched] == (char)PAINT)
        untouched++;
    printf("coroutine: %s\n", said);
    fprintf(stderr, "%zu\n", room - untouched);

    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, PTHREAD_STACK_MIN);
    pthread_create(&thread, &attributes, by_thread, NULL);
    pthread_join(thread, NULL);
    printf("thread: %s\n", said);
}
