/* getaddrinfo_a: later HOW NAME...
 *
 * HOW is wait, suspend, signal, thread or none: how the program hears of the answers. Prints the
 * codes and addresses, and what gai_cancel says of a request that is done. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static sem_t told;
static int value, code;
static pthread_t teller;

static void by_thread(union sigval given)
{
    value = given.sival_int;
    teller = pthread_self();
    sem_post(&told);
}

static void by_signal(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)context;
    value = info->si_value.sival_int;
    code = info->si_code;
    sem_post(&told);
}

int main(int argc, char **argv)
{
    if (argc < 3 || argc > 34)
        return 2;
    const char *how = argv[1];
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct gaicb requests[32], *list[33];
    int count = argc - 2;
    memset(requests, 0, sizeof requests);
    for (int n = 0; n < count; n++) {
        requests[n].ar_name = argv[n + 2];
        requests[n].ar_service = "80";
        requests[n].ar_request = &hints;
        list[n] = &requests[n];
    }
    /* A gap, which is passed over. */
    list[count] = NULL;

    sem_init(&told, 0, 0);
    struct sigaction action = {.sa_sigaction = by_signal, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &action, NULL);
    struct sigevent event = {.sigev_notify = SIGEV_NONE};
    event.sigev_value.sival_int = 42;
    if (!strcmp(how, "signal")) {
        event.sigev_notify = SIGEV_SIGNAL;
        event.sigev_signo = SIGUSR1;
    } else if (!strcmp(how, "thread")) {
        event.sigev_notify = SIGEV_THREAD;
        event.sigev_notify_function = by_thread;
    }
    int mode = strcmp(how, "wait") ? GAI_NOWAIT : GAI_WAIT;
    printf("%d", getaddrinfo_a(mode, list, count + 1, strcmp(how, "none") ? &event : NULL));
    if (event.sigev_notify != SIGEV_NONE) {
        while (sem_wait(&told) && errno == EINTR)
            ;
        printf(" told %d%s", value, event.sigev_notify == SIGEV_THREAD
                   ? (pthread_equal(teller, pthread_self()) ? " by itself" : " by a thread")
                   : code == SI_ASYNCNL ? " by SI_ASYNCNL" : " by another code");
    }
    for (int n = 0; n < count; n++)
        while (gai_error(&requests[n]) == EAI_INPROGRESS) {
            const struct gaicb *one = &requests[n];
            gai_suspend(&one, 1, NULL);
        }
    printf(" cancel %d", gai_cancel(&requests[0]));
    printf(" mode %d\n", getaddrinfo_a(7, list, count, NULL));
    for (int n = 0; n < count; n++) {
        printf("%s: %d", requests[n].ar_name, gai_error(&requests[n]));
        for (struct addrinfo *at = requests[n].ar_result; at; at = at->ai_next) {
            struct sockaddr_in *address = (struct sockaddr_in *)at->ai_addr;
            printf(" %s %d", inet_ntoa(address->sin_addr), ntohs(address->sin_port));
        }
        printf("\n");
        if (requests[n].ar_result)
            freeaddrinfo(requests[n].ar_result);
    }
    return 0;
}
