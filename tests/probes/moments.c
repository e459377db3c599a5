/* Connects to ADDRESS PORT at the odd moments of a process, before main and after it: moments
   ADDRESS PORT. Says for each which peer the far end saw, or the name of errno. Compiled with
   LIBRARY it is a library that does so when it is loaded and when the process ends. */
#include "tcp.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

static const char *address, *port;

static void at(const char *moment)
{
    char said[64];
    int before = errno = 77;
    struct destination to = destination(address, port);
    int fd = stream_for(&to, SOCK_CLOEXEC);
    int code = connect_to(fd, &to);
    if (code < 0)
        strcpy(said, strerrorname_np(errno));
    else
        read_peer(fd, said);
    finish(fd);
    if (code == 0 && errno != before)
        strcat(said, " errno");
    dprintf(1, "%s: %s\n", moment, said);
}

#ifdef LIBRARY
__attribute__((constructor)) static void begin(int count, char **words)
{
    (void)count;
    address = words[1], port = words[2];
    at(LIBRARY " begins");
}

__attribute__((destructor)) static void end(void)
{
    at(LIBRARY " ends");
}
#else
static void before_init(int count, char **words, char **environment)
{
    (void)count, (void)environment;
    address = words[1], port = words[2];
    at("preinit");
}

__attribute__((section(".preinit_array"), used)) static void (*preinit)(int, char **, char **) =
    before_init;

__attribute__((constructor)) static void constructor(void)
{
    at("constructor");
}

__attribute__((destructor)) static void destructor(void)
{
    at("destructor");
}

static void at_fork(void)
{
    at("atfork child");
}

static void of_key(void *unused)
{
    (void)unused;
    at("destructor of a key");
}

/* What C++ compiles a destructor of a thread_local object to. */
extern int __cxa_thread_atexit_impl(void (*)(void *), void *, void *);
extern void *__dso_handle;

static void of_thread_local(void *unused)
{
    (void)unused;
    at("destructor of a thread_local");
}

static void *thread(void *unused)
{
    pthread_key_t key;
    pthread_key_create(&key, of_key);
    pthread_setspecific(key, "");
    __cxa_thread_atexit_impl(of_thread_local, NULL, &__dso_handle);
    return unused;
}

enum { MORE = 20 };
static atomic_int exits, went_on;

/* Runs on while the process exits. */
static void *detached(void *unused)
{
    pthread_detach(pthread_self());
    for (;;) {
        char said[64];
        try_connect(address, port, said);
        if (exits && went_on < MORE && ++went_on == MORE)
            dprintf(1, "detached thread: %s\n", said);
    }
    return unused;
}

static void at_exit(void)
{
    at("atexit");
    exits = 1;
    while (went_on < MORE)
        usleep(1000);
}

int main(void)
{
    pthread_t one;
    pthread_create(&one, NULL, thread, NULL);
    pthread_join(one, NULL);
    pthread_atfork(NULL, NULL, at_fork);
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    waitpid(child, NULL, 0);
    atexit(at_exit);
    pthread_create(&one, NULL, detached, NULL);
    return 0;
}
#endif
