/* Cancels a thread that is blocked in CALL (connect, or sendto and sendmsg with fast open) to
   ADDRESS PORT, which never answers: cancel CALL ADDRESS PORT */
#include "tcp.h"
#include <pthread.h>
#include <sys/syscall.h>

static struct destination to;
static const char *call;
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
    struct sockaddr *name = (struct sockaddr *)&to.address;
    struct iovec bytes = {"x", 1};
    struct msghdr message = {
        .msg_name = name, .msg_namelen = to.length, .msg_iov = &bytes, .msg_iovlen = 1};
    long code = strcmp(call, "connect") == 0  ? connect_to(fd, &to)
                : strcmp(call, "sendto") == 0 ? sendto(fd, "x", 1, MSG_FASTOPEN, name, to.length)
                                              : sendmsg(fd, &message, MSG_FASTOPEN);
    printf("not cancelled: %s\n", outcome(code));
    pthread_cleanup_pop(0);
    return unused;
}

/* Whether the thread sleeps in the call. */
static int is_blocked(void)
{
    char path[64], line[128] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/syscall", thread_id);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return 0;
    char *got = fgets(line, sizeof line, file);
    fclose(file);
    int number = strcmp(call, "connect") == 0  ? SYS_connect
                 : strcmp(call, "sendto") == 0 ? SYS_sendto
                                               : SYS_sendmsg;
    return got != NULL && atoi(line) == number && line[0] != 'r';
}

int main(int count, char **words)
{
    (void)count;
    call = words[1];
    to = destination(words[2], words[3]);
    pthread_t thread;
    pthread_create(&thread, NULL, blocked, NULL);
    for (int n = 0; n < 2000 && !is_blocked(); n++)
        usleep(1000);
    pthread_cancel(thread);
    void *result = NULL;
    pthread_join(thread, &result);
    puts(result == PTHREAD_CANCELED ? "cancelled" : "ended by itself");
}
