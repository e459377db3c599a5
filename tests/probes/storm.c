/* Children of vfork that exec a program, in an empty environment: storm PROGRAM TIMES. Says how many
   ran, and whether memory and descriptors of this process are as before. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char before[1 << 18], after[1 << 18];

/* The memory map, and the least descriptor that is free. */
static int state(char *text)
{
    int fd = open("/proc/self/maps", O_RDONLY);
    size_t used = 0;
    for (ssize_t got; (got = read(fd, text + used, (1 << 18) - 1 - used)) > 0;)
        used += (size_t)got;
    close(fd);
    return fd;
}

static int started(char *program)
{
    char *words[] = {program, NULL}, *none[] = {NULL};
    volatile int failed = 0;
    int status = 0;
    pid_t child = vfork();
    if (child == 0) {
        execve(program, words, none);
        failed = errno;
        _exit(1);
    }
    waitpid(child, &status, 0);
    return !failed && status == 0;
}

int main(int count, char **words)
{
    int ran = 0;
    if (count != 3)
        return 2;
    started(words[1]);
    int first = state(before);
    for (int n = 0; n < atoi(words[2]); n++)
        ran += started(words[1]);
    int last = state(after);
    printf("%d %s\n", ran, strcmp(before, after) == 0 && first == last ? "as before" : "changed");
    return 0;
}
