/* Looks NAME up while hardly any memory is left: no_memory NAME
   malloc has nothing but one block of ever more bytes. Says what the look-ups came to, one line for
   each change. */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* A block of 128 KiB is not malloc's to give again (M_MMAP_THRESHOLD). */
enum { MOST = 120 * 1024, STEP = 8 * 1024 };

static int look_up(const char *name)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    int code = getaddrinfo(name, "80", &hints, &list);
    if (code == 0)
        freeaddrinfo(list);
    return code;
}

/* The stack has to be there already. */
__attribute__((noinline)) static void touch_the_stack(void)
{
    volatile char deep[256 * 1024];
    for (size_t at = 0; at < sizeof deep; at += 1024)
        deep[at] = 0;
}

static int with_no_more_than(size_t spare, const char *name)
{
    struct rlimit none = {0, RLIM_INFINITY};
    touch_the_stack();
    void *volatile block = malloc(spare), *volatile rest;
    setrlimit(RLIMIT_AS, &none);
    for (size_t size = 1 << 20; size >= 16; size /= 2)
        while ((rest = malloc(size)))
            ;
    free(block);
    return look_up(name);
}

int main(int count, char **words)
{
    (void)count;
    const char *before = "";
    if (look_up("v4.test") != 0)
        return 2;
    for (size_t spare = 0; spare <= MOST; spare += STEP) {
        pid_t child = fork();
        if (child == 0)
            _exit(-with_no_more_than(spare, words[1]));
        int status = 0;
        waitpid(child, &status, 0);
        const char *said = WIFSIGNALED(status) ? strsignal(WTERMSIG(status))
                           : status == 0       ? "found"
                                               : gai_strerror(-WEXITSTATUS(status));
        if (strcmp(said, before) != 0)
            puts(said);
        before = said;
    }
}
