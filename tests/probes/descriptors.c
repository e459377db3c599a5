/* A thousand connects to ADDRESS PORT: what they came to, and the open descriptors before and
   after. */
#include "tcp.h"
#include <dirent.h>

static void list(char *line)
{
    DIR *dir = opendir("/proc/self/fd");
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        if (entry->d_name[0] != '.')
            line += sprintf(line, " %s", entry->d_name);
    closedir(dir);
}

int main(int count, char **words)
{
    (void)count;
    char before[1024] = "", after[1024] = "";
    int refused = 0;
    list(before);
    for (int n = 0; n < 1000; n++) {
        struct destination to = destination(words[1], words[2]);
        int fd = stream_for(&to, 0);
        refused += connect_to(fd, &to) < 0 && errno == ECONNREFUSED;
        close(fd);
    }
    list(after);
    printf("%d refused\nbefore%s\nafter%s\n", refused, before, after);
}
