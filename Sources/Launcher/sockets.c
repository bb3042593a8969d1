// The network, closed by a seccomp filter (seccomp(2)): socket(2) makes Unix sockets only. Its numbers differ by processor.

#define _GNU_SOURCE
#include "rules.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define THIS_PROCESSOR AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define THIS_PROCESSOR AUDIT_ARCH_AARCH64
#else
#define THIS_PROCESSOR 0
#endif

enum {
    // The same on every processor.
    IO_URING_SETUP = 425,
    // System calls of the x32 ABI have this bit; on aarch64 there are none so high.
    X32_BIT = 0x40000000,
};

bool can_refuse_sockets(void) {
    // PR_GET_SECCOMP fails with EINVAL on a kernel without it.
    return THIS_PROCESSOR != 0 && prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0;
}

bool refuse_sockets(struct trouble *trouble) {
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define REFUSE(error) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))
    struct sock_filter code[] = {
        LOAD(arch),
        // Other system call tables (32-bit programs) have other numbers for the same calls: none of them is let through.
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, THIS_PROCESSOR, 1, 0),
        REFUSE(ENOSYS),
        LOAD(nr),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1),
        REFUSE(ENOSYS),
        // io_uring(7) makes sockets without a system call. Runtimes do without it where it is missing.
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IO_URING_SETUP, 0, 1),
        REFUSE(ENOSYS),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        // The kernel takes the family as an int: the low half, which comes first on both processors.
        LOAD(args[0]),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        REFUSE(EACCES),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0) return true;
    return note_trouble(trouble, "cannot close the network by a seccomp filter", NULL);
}
