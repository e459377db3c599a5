/* Cancels a thread that is blocked in connect to ADDRESS PORT, which never answers. */
#include "tcp.h"
#include <pthread.h>
#include <sys/syscall.h>

static struct destination to;
static volatile int thread_id;

static void cleanup(void *unused)
{
    (void)unused;
    puts("cleaned up");
}

static void *blocked(void *unused)
{
    int fd = stream_for(&to, 0);
    pthread_cleanup_push(cleanup, NULL);
    thread_id = (int)syscall(SYS_gettid);
    printf("not cancelled: %s\n", outcome(connect_to(fd, &to)));
    pthread_cleanup_pop(0);
    return unused;
}

/* Whether the thread sleeps in connect(2), which is call 42 on x86-64 and 203 on AArch64. */
static int is_in_connect(void)
{
    char path[64], line[128] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/syscall", thread_id);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return 0;
    char *got = fgets(line, sizeof line, file);
    fclose(file);
    return got != NULL && atoi(line) == SYS_connect && line[0] != 'r';
}

int main(int count, char **words)
{
    (void)count;
    to = destination(words[1], words[2]);
    pthread_t thread;
    pthread_create(&thread, NULL, blocked, NULL);
    for (int n = 0; n < 2000 && !is_in_connect(); n++)
        usleep(1000);
    pthread_cancel(thread);
    void *result = NULL;
    pthread_join(thread, &result);
    puts(result == PTHREAD_CANCELED ? "cancelled" : "ended by itself");
}
