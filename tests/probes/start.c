/* Starts a program in an environment of one's own: start HOW ENVIRONMENT PROGRAM [WORD]...
 *
 * HOW is one of libc's functions, "vfork" for execve in its child, or a function with "syscall " in
 * front. ENVIRONMENT is variables with commas between, "-" for this process's own, or "null".
 * Where the program does not start, the name of the error is said. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int waited(pid_t child)
{
    int status = 1;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 9;
}

/* WORDs as a line for a shell. */
static char *line(char **words)
{
    static char text[4096];
    for (; *words; words++) {
        strcat(text, " '");
        strcat(strcat(text, *words), "'");
    }
    return text;
}

/* Starts it in a child of vfork. Only where that failed, errno is set. */
__attribute__((noinline)) static int by_vfork(const char *path, char **words, char **env)
{
    volatile int failed = 0;
    pid_t child = vfork();
    if (child == 0) {
        execve(path, words, env);
        failed = errno;
        _exit(0);
    }
    int status = waited(child);
    errno = failed;
    return status;
}

/* These take their strings one by one: more than fit into registers, if there are as many. */
#define FOUR w[0], w[1], w[2], w[3]
#define NINE FOUR, w[4], w[5], w[6], w[7], w[8]
#define END (char *)NULL

int main(int count, char **words)
{
    if (count < 4)
        return 2;
    const char *how = words[1], *path = words[3];
    char *given[100] = {}, **env = given, **w = words + 3;
    int filled = 0;
    pid_t child = -1;
    if (strcmp(words[2], "-") == 0)
        env = environ;
    else if (strcmp(words[2], "null") == 0)
        env = NULL;
    else
        for (char *one = strtok(words[2], ","); one; one = strtok(NULL, ","))
            given[filled++] = one;

#define HOW(name) if (strcmp(how, name) == 0)
    HOW("execve") execve(path, w, env);
    HOW("execvpe") execvpe(path, w, env);
    HOW("execle") switch (count - 3) {
    case 1: execle(path, w[0], END, env); break;
    case 4: execle(path, FOUR, END, env); break;
    case 9: execle(path, NINE, END, env); break;
    default: return 2;
    }
    HOW("fexecve") fexecve(open(path, O_RDONLY | O_CLOEXEC), w, env);
    HOW("fexecve path") fexecve(open(path, O_PATH | O_CLOEXEC), w, env);
    HOW("execveat") execveat(open("/", O_PATH | O_CLOEXEC), path + 1, w, env, 0);
    HOW("execveat empty") execveat(open(path, O_PATH), "", w, env, AT_EMPTY_PATH);
    HOW("execveat nothing") execveat(AT_FDCWD, "", w, env, 0);
    HOW("syscall execve") syscall(SYS_execve, path, w, env);
    HOW("syscall execveat") syscall(SYS_execveat, AT_FDCWD, path, w, env, 0);
    HOW("posix_spawn") {
        errno = posix_spawn(&child, path, NULL, NULL, w, env);
        if (errno == 0)
            return waited(child);
    }
    HOW("posix_spawnp") {
        errno = posix_spawnp(&child, path, NULL, NULL, w, env);
        if (errno == 0)
            return waited(child);
    }
    HOW("vfork") {
        int status = by_vfork(path, w, env);
        if (errno == 0)
            return status;
    }
    environ = env;
    HOW("execv") execv(path, w);
    HOW("execvp") execvp(path, w);
    HOW("execl") execl(path, NINE, END);
    HOW("execlp") execlp(path, NINE, END);
    HOW("system") return system(line(w)) != 0;
    HOW("popen") {
        FILE *out = popen(line(w), "r");
        for (int byte; (byte = fgetc(out)) != EOF;)
            putchar(byte);
        return pclose(out) != 0;
    }
    puts(strerrorname_np(errno));
    return 0;
}
