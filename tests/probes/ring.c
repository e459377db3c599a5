/* Connects by a ring buffer where the kernel gives one, else by connect: ring ADDRESS PORT. Says which,
   and the peer that the far end saw, or the name of errno. */
#include "tcp.h"

#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>

static void *map(int ring, size_t size, off_t what)
{
    void *there = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, what);
    if (there == MAP_FAILED)
        exit(2);
    return there;
}

/* What connect would have returned, with errno. */
static int connect_by(int ring, const struct io_uring_params *made, int fd,
                      const struct destination *to)
{
    char *queue = map(ring, made->sq_off.array + made->sq_entries * 4, IORING_OFF_SQ_RING);
    char *done = map(ring, made->cq_off.cqes + made->cq_entries * sizeof(struct io_uring_cqe),
                     IORING_OFF_CQ_RING);
    struct io_uring_sqe *entry = map(ring, made->sq_entries * sizeof *entry, IORING_OFF_SQES);
    *entry = (struct io_uring_sqe){.opcode = IORING_OP_CONNECT, .fd = fd,
                                   .addr = (unsigned long)&to->address, .off = to->length};
    *(unsigned *)(queue + made->sq_off.array) = 0;
    __atomic_store_n((unsigned *)(queue + made->sq_off.tail), 1, __ATOMIC_RELEASE);
    if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
        return -1;
    int result = ((struct io_uring_cqe *)(done + made->cq_off.cqes))->res;
    errno = result < 0 ? -result : 0;
    return result < 0 ? -1 : 0;
}

int main(int count, char **words)
{
    if (count != 3)
        return 2;
    struct destination to = destination(words[1], words[2]);
    struct io_uring_params made = {};
    int ring = (int)syscall(SYS_io_uring_setup, 1, &made);
    printf("%s ", ring < 0 ? strerrorname_np(errno) : "ring");
    int fd = stream_for(&to, 0);
    char said[64];
    if ((ring < 0 ? connect_to(fd, &to) : connect_by(ring, &made, fd, &to)) < 0)
        strcpy(said, strerrorname_np(errno));
    else
        read_peer(fd, said);
    puts(said);
    finish(fd);
}
