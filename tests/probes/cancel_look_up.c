/* A thread that is cancelled while it looks a name up: cancel_look_up NAME
 *
 * The thread says when it begins; whoever runs this has a server that keeps it waiting. */
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static void *look_up(void *name)
{
    struct addrinfo *list;
    for (;;) {
        if (getaddrinfo(name, "80", NULL, &list) == 0)
            freeaddrinfo(list);
        pthread_testcancel();
    }
    return NULL;
}

int main(int argc, char **argv)
{
    (void)argc;
    pthread_t thread;
    void *result = NULL;
    pthread_create(&thread, NULL, look_up, argv[1]);
    usleep(100 * 1000);
    pthread_cancel(thread);
    pthread_join(thread, &result);
    puts(result == PTHREAD_CANCELED ? "cancelled" : "not cancelled");
    return 0;
}
