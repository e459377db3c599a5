/* Eight threads that begin at once, each connecting ten times to ADDRESS PORT or to ADDRESS6 PORT
   by turns. Says each different answer once, with how often it came. */
#include "tcp.h"
#include <pthread.h>

enum { THREADS = 8, TIMES = 10 };

static char **arguments;
static pthread_barrier_t begin;
static char said[THREADS][TIMES][64];

static void *work(void *number)
{
    size_t me = (size_t)number;
    pthread_barrier_wait(&begin);
    for (size_t n = 0; n < TIMES; n++)
        try_connect(arguments[(me + n) % 2 ? 3 : 1], arguments[(me + n) % 2 ? 4 : 2], said[me][n]);
    return NULL;
}

int main(int count, char **words)
{
    (void)count;
    arguments = words;
    pthread_barrier_init(&begin, NULL, THREADS);
    pthread_t threads[THREADS];
    for (size_t n = 0; n < THREADS; n++)
        pthread_create(&threads[n], NULL, work, (void *)n);
    for (size_t n = 0; n < THREADS; n++)
        pthread_join(threads[n], NULL);
    char *all = (char *)said;
    for (size_t n = 0; n < THREADS * TIMES; n++) {
        int times = 0, seen = 0;
        for (size_t m = 0; m < THREADS * TIMES; m++) {
            int same = strcmp(all + 64 * n, all + 64 * m) == 0;
            times += same;
            seen |= same && m < n;
        }
        if (!seen)
            printf("%s %d\n", all + 64 * n, times);
    }
}
