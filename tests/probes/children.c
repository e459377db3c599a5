/* A child made by MODE connects to ADDRESS PORT and says which peer the far end saw. After vfork
   the child connects before it execs, which then connects once more. */
#include "tcp.h"
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

int main(int count, char **words)
{
    (void)count;
    char *self[] = {words[0], "self", words[2], words[3], NULL};
    char said[64];
    const char *mode = words[1];
    pid_t child = -1;
    if (strcmp(mode, "self") == 0) {
        try_connect(words[2], words[3], said);
        puts(said);
        return 0;
    }
    if (strcmp(mode, "exec") == 0)
        return execv(words[0], self);
    if (strcmp(mode, "spawn") == 0 && posix_spawn(&child, words[0], NULL, NULL, self, environ) != 0)
        return 2;
    if (strcmp(mode, "fork") == 0 && (child = fork()) == 0) {
        try_connect(words[2], words[3], said);
        puts(said);
        return 0;
    }
    struct destination to = destination(words[2], words[3]);
    int fd = stream_for(&to, SOCK_CLOEXEC);
    if (strcmp(mode, "vfork") == 0 && (child = vfork()) == 0) {
        if (connect_to(fd, &to) != 0)
            _exit(3);
        execv(words[0], self);
        _exit(4);
    }
    int status = 1;
    waitpid(child, &status, 0);
    if (strcmp(mode, "vfork") == 0) {
        read_peer(fd, said);
        puts(said);
        finish(fd);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 9;
}
