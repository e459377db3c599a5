// Throws from behind a refused connect to ADDRESS PORT, and unwinds a thread that is cancelled in
// a blocked one to SILENT-ADDRESS: the unwinder of libmif must not be mixed up with the program's.
#include "tcp.h"
#include <pthread.h>
#include <stdexcept>
#include <string>

static void connect_or_throw(const char *ip, const char *port)
{
    struct destination to = destination(ip, port);
    int fd = stream_for(&to, 0);
    if (connect_to(fd, &to) < 0)
        throw std::runtime_error(strerrorname_np(errno));
}

struct Guard {
    const char *name;
    ~Guard() { puts(name); }
};

static void *blocked(void *words)
{
    Guard guard{"unwound"};
    connect_or_throw(static_cast<char **>(words)[3], static_cast<char **>(words)[2]);
    return nullptr;
}

int main(int, char **words)
{
    try {
        Guard guard{"guarded"};
        connect_or_throw(words[1], words[2]);
    } catch (const std::runtime_error &error) {
        puts(error.what());
    }
    pthread_t thread;
    pthread_create(&thread, nullptr, blocked, words);
    usleep(100000);
    pthread_cancel(thread);
    void *result = nullptr;
    pthread_join(thread, &result);
    puts(result == PTHREAD_CANCELED ? "cancelled" : "ended by itself");
}
