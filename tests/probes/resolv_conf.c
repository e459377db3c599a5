/* Opens files by every name that libc has for it, and says what came of it: "NAME: " and the errno,
 * or close-on-exec, the place that reading begins at, whether it can be written to, and the text.
 *
 *   resolv_conf view        /etc/resolv.conf, in all ways that read it
 *   resolv_conf others      other paths, other ways, odd arguments: as without mif
 *   resolv_conf fds N       opens and closes it N times by open and fopen, and counts descriptors
 *   resolv_conf signal      in a signal handler, and in a child of vfork */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* What <fcntl.h> calls in programs built with _FORTIFY_SOURCE. */
extern int __open_2(const char *, int), __open64_2(const char *, int);
extern int __openat_2(int, const char *, int), __openat64_2(int, const char *, int);

static const char *path = "/etc/resolv.conf";

static void text(int fd)
{
    char data[4096];
    long size = read(fd, data, sizeof data);
    for (long i = 0; i < size; i++)
        data[i] == '\n' ? fputs("\\n", stdout) : putchar(data[i]);
    putchar('\n');
}

static void tell(const char *name, int fd)
{
    if (fd < 0) {
        printf("%s: %s\n", name, strerrorname_np(errno));
        return;
    }
    printf("%s: cloexec %d at %ld write %s ", name, fcntl(fd, F_GETFD), (long)lseek(fd, 0, SEEK_CUR),
           write(fd, "x", 1) < 0 ? "refused" : "taken");
    text(fd);
    close(fd);
}

static void tell_stream(const char *name, FILE *stream)
{
    if (!stream) {
        printf("%s: %s\n", name, strerrorname_np(errno));
        return;
    }
    char line[512] = "";
    int cloexec = fcntl(fileno(stream), F_GETFD);
    printf("%s: cloexec %d at %ld ", name, cloexec, ftell(stream));
    while (fgets(line, sizeof line, stream))
        printf("%s|", strtok(line, "\n"));
    printf(" end %d\n", feof(stream) && !ferror(stream));
    fclose(stream);
}

static void tell_mode(const char *name, int fd)
{
    struct stat stat = {};
    if (fd < 0 || fstat(fd, &stat) != 0)
        printf("%s: %s\n", name, strerrorname_np(errno));
    else
        printf("%s: mode %o\n", name, stat.st_mode);
    close(fd);
}

static void view(void)
{
    tell("open", open(path, O_RDONLY));
    tell("open64", open64(path, O_RDONLY | O_CLOEXEC));
    tell("openat", openat(AT_FDCWD, path, O_RDONLY | O_NOCTTY));
    tell("openat64", openat64(-7, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    tell("__open_2", __open_2(path, O_RDONLY));
    tell("__open64_2", __open64_2(path, O_RDONLY | O_CLOEXEC));
    tell("__openat_2", __openat_2(AT_FDCWD, path, O_RDONLY));
    tell("__openat64_2", __openat64_2(AT_FDCWD, path, O_RDONLY | O_CLOEXEC));
    tell_stream("fopen r", fopen(path, "r"));
    tell_stream("fopen64 rbe", fopen64(path, "rbe"));
    tell_stream("fopen rm", fopen(path, "rm"));
    errno = EXDEV;
    int fd = open(path, O_RDONLY);
    printf("errno %s", strerrorname_np(errno));
    FILE *stream = fopen64(path, "r");
    printf(" %s\n", strerrorname_np(errno));
    fclose(stream);
    close(fd);
}

static void others(void)
{
    umask(0);
    const char *odd[] = {NULL, (const char *)16, "", "/", "/etc/resolv.conf/", "/etc/resolv.con", "/etc//resolv.conf",
                         "/etc/resolv.conf.bak", "resolv.conf", "/etc/hosts"};
    for (unsigned long i = 0; i < sizeof odd / sizeof *odd; i++) {
        printf("%lu ", i);
        tell("open", open(odd[i], O_RDONLY));
        tell("openat64", openat64(AT_FDCWD, odd[i], O_RDONLY));
        tell("openat", openat(-7, odd[i], O_RDONLY));
        tell("__open_2", __open_2(odd[i], O_RDONLY));
        if (odd[i] > (const char *)4096)
            tell_stream("fopen", fopen(odd[i], "r"));
    }
    /* Not to read. */
    tell("write", open(path, O_WRONLY));
    tell("both", open64(path, O_RDWR));
    tell("truncate", open64(path, O_WRONLY | O_TRUNC));
    tell("directory", open64(path, O_RDONLY | O_DIRECTORY));
    tell("exclusive", open(path, O_CREAT | O_EXCL, 0600));
    tell_stream("r+", fopen(path, "r+"));
    tell_stream("a", fopen64(path, "a"));
    tell_stream("nonsense", fopen64(path, "nonsense"));
    /* Access and mode are the real file's. */
    struct stat real;
    printf("stat %d access %d %d\n", stat(path, &real), access(path, R_OK), access(path, W_OK));
    /* The mode arrives where there is one. */
    tell_mode("creat", open("made", O_CREAT | O_WRONLY, 0641));
    tell_mode("again", open("made", O_RDONLY));
    unlink("made");
    tell_mode("creat64", open64("made", O_CREAT | O_RDWR | O_EXCL, 0124));
    unlink("made");
    tell_mode("creatat", openat(AT_FDCWD, "made", O_CREAT | O_RDWR | O_EXCL, 0600));
    unlink("made");
    tell_mode("creatat64", openat64(AT_FDCWD, "made", O_CREAT | O_RDWR | O_EXCL, 0666));
    unlink("made");
    tell_mode("unnamed", open(".", O_TMPFILE | O_RDWR, 0651));
    tell_mode("unnamedat", openat64(AT_FDCWD, ".", O_TMPFILE | O_RDWR, 0652));
}

static int open_descriptors(void)
{
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static void descriptors(int n)
{
    int before = open_descriptors();
    for (int i = 0; i < n; i++) {
        close(open(path, O_RDONLY));
        fclose(fopen(path, "r"));
    }
    printf("%d more\n", open_descriptors() - before);
}

static void handler(int signal)
{
    (void)signal;
    tell("handler", open64(path, O_RDONLY));
}

int main(int count, char **words)
{
    setvbuf(stdout, NULL, _IOLBF, 4096);
    const char *what = count > 1 ? words[1] : "";
    if (!strcmp(what, "view"))
        view();
    else if (!strcmp(what, "others"))
        others();
    else if (!strcmp(what, "fds"))
        descriptors(atoi(words[2]));
    else if (!strcmp(what, "signal")) {
        signal(SIGUSR1, handler);
        raise(SIGUSR1);
        pid_t child = vfork();
        if (child == 0) {
            int fd = open(path, O_RDONLY);
            dup2(fd, 0);
            execl("/bin/cat", "cat", (char *)NULL);
            _exit(127);
        }
        waitpid(child, NULL, 0);
    } else
        return 2;
}
