/* Look-ups by eight threads at once, with forks in between: name_storm TIMES [BEFORE]
 *
 * Every answer is compared with what the lab's second provider (rb) says. Some of the names may be
 * kept (who.test, split.test, huge.test), others not (v4.test and nothing.test, which the server
 * denies without saying for how long). Says how many answers were wrong, and what is left over
 * after TIMES look-ups by each thread: descriptors, threads, and bytes on the heap; what is made once
 * is made in BEFORE others, 500 if not given. */
#include <arpa/inet.h>
#include <dirent.h>
#include <malloc.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 8, BETWEEN_FORKS = 1000, BY_A_CHILD = 32 };

static int times;
static atomic_int wrong, children;

/* All addresses of one type, in some order. */
static void look_up(const char *name, int code, int count, const char *v4, const char *v6)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    int said = getaddrinfo(name, "80", &hints, &list), seen = 0, known = 0;
    for (struct addrinfo *node = list; said == 0 && node; node = node->ai_next) {
        char text[64];
        void *address = node->ai_family == AF_INET
                            ? (void *)&((struct sockaddr_in *)node->ai_addr)->sin_addr
                            : (void *)&((struct sockaddr_in6 *)node->ai_addr)->sin6_addr;
        inet_ntop(node->ai_family, address, text, sizeof text);
        const char *wanted = node->ai_family == AF_INET ? v4 : v6;
        known += wanted && strncmp(text, wanted, strlen(wanted)) == 0;
        seen++;
    }
    if (said == 0)
        freeaddrinfo(list);
    if (said != code || seen != count || known != count) {
        if (wrong++ < 5)
            fprintf(stderr, "%s: code %d, %d addresses, %d of them known\n", name, said, seen, known);
    }
}

static void one(int n)
{
    if (n % 64 == 7)
        look_up("nothing.test", EAI_NONAME, 0, NULL, NULL);
    else if (n % 32 == 3)
        look_up("v4.test", 0, 1, "203.0.113.10", NULL);
    else if (n % 64 == 5)
        look_up("huge.test", 0, 120, "198.18.1.", NULL);
    else if (n % 2)
        look_up("who.test", 0, 2, "203.0.113.10", "2001:db8:ff::10");
    else
        look_up("split.test", 0, 2, "203.0.113.22", "2001:db8:ff::22");
}

static void fork_one(void)
{
    pid_t child = fork();
    if (child == 0) {
        wrong = 0;
        for (int n = 0; n < BY_A_CHILD; n++)
            one(n);
        _exit(wrong != 0);
    }
    int status = -1;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
        fprintf(stderr, "a child ended with %x\n", status);
        wrong++;
    }
    children++;
}

static void *work(void *number)
{
    int me = (int)(size_t)number;
    for (int n = 0; n < times; n++) {
        one(n + me);
        if (n % BETWEEN_FORKS == 100 * me)
            fork_one();
    }
    return NULL;
}

static void storm(int each)
{
    times = each;
    pthread_t threads[THREADS];
    for (size_t n = 0; n < THREADS; n++)
        pthread_create(&threads[n], NULL, work, (void *)n);
    for (size_t n = 0; n < THREADS; n++)
        pthread_join(threads[n], NULL);
}

static int count(const char *directory)
{
    int entries = 0;
    DIR *open = opendir(directory);
    while (open && readdir(open))
        entries++;
    closedir(open);
    return entries;
}

int main(int argc, char **argv)
{
    storm(argc > 2 ? atoi(argv[2]) : 500);
    int files = count("/proc/self/fd"), threads = count("/proc/self/task");
    size_t heap = mallinfo2().uordblks;
    children = 0;
    storm(atoi(argv[1]));
    long more = (long)(mallinfo2().uordblks - heap);
    printf("%d wrong, %d children, %+d descriptors, %+d threads, ", wrong, children,
           count("/proc/self/fd") - files, count("/proc/self/task") - threads);
    printf(more < 40000 ? "no more memory\n" : "%ld bytes more\n", more);
    return wrong != 0;
}
