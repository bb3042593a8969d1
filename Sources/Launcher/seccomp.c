// System calls that no plugin gets, refused by a seccomp filter (seccomp(2)): those that change other processes of the
// same user, that make namespaces and mounts, and those that plugins do not need and that kernels were broken by.
// docs/sandbox.md lists them. A deny-list: what a kernel adds later is allowed until it is written here.

#define _GNU_SOURCE
#include "rules.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
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
    // System calls of the x32 ABI have this bit; on aarch64 there are none so high.
    X32_BIT = 0x40000000,
    MAX_INSTRUCTIONS = 1024,
    // sched.h: CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET; unshare(2) also knows CLONE_NEWTIME.
    NEW_NAMESPACES = 0x7E020000,
    NEW_TIME = 0x80,
    // sys/resource.h and linux/ioprio.h: of all processes of a user.
    PRIORITY_OF_USER = 2,
    IO_PRIORITY_OF_USER = 3,
    // asm/ioctls.h: puts input into a terminal, as if it were typed.
    TERMINAL_INPUT = 0x5412,
    CONSOLE_INPUT = 0x541C,
    // linux/prctl.h: PR_SCHED_CORE changes where others may run; PR_SET_PDEATHSIG sets the parent-death signal.
    SCHEDULE_CORE = 62,
    PARENT_DEATH_SIGNAL = 1,
    KILL = 9,
    // sys/stat.h: S_ISUID and S_ISGID.
    SET_ID = 06000,
    // asm-generic/fcntl.h: O_CREAT and __O_TMPFILE. Without them open(2) ignores its mode.
    MAKES_FILE = 0x400040,
    // linux/fcntl.h: F_SETLEASE, F_NOTIFY, F_SETDELEG.
    SET_LEASE = 1024,
    NOTIFY = 1026,
    SET_DELEGATION = 1040,
};

struct denial {
    int call;
    int error;
};

// Refused whatever the arguments are. The numbers from 424 on are the same on every processor; older ones that one of
// them does not have stand under #ifdef. ENOSYS where programs fall back to something else.
static const struct denial denied[] = {
    // Other processes: their memory, descriptors and registers.
    {SYS_ptrace, EPERM}, {SYS_process_vm_readv, EPERM}, {SYS_process_vm_writev, EPERM}, {SYS_kcmp, EPERM},
    {438 /* pidfd_getfd */, EPERM}, {440 /* process_madvise */, EPERM}, {448 /* process_mrelease */, EPERM},
    {SYS_migrate_pages, EPERM},
    // Mounts: what is hidden would come to light.
    {SYS_mount, EPERM}, {SYS_umount2, EPERM}, {SYS_pivot_root, EPERM}, {SYS_chroot, EPERM}, {SYS_setns, EPERM},
    {428 /* open_tree */, EPERM}, {429 /* move_mount */, EPERM}, {430 /* fsopen */, EPERM},
    {431 /* fsconfig */, EPERM}, {432 /* fsmount */, EPERM}, {433 /* fspick */, EPERM},
    {442 /* mount_setattr */, EPERM}, {467 /* open_tree_attr */, EPERM}, {SYS_fanotify_init, EPERM},
    // Files by number instead of by path, past what is hidden.
    {SYS_name_to_handle_at, EPERM}, {SYS_open_by_handle_at, EPERM},
    // clone3(2) has its flags in memory, where a filter cannot look: libraries fall back to clone(2).
    {435 /* clone3 */, ENOSYS},
    // openat2(2) has its mode in memory. Programs fall back to openat(2).
    {437 /* openat2 */, ENOSYS},
    // io_uring(7) makes system calls that no filter sees. Runtimes do without it where it is missing.
    {425 /* io_uring_setup */, ENOSYS}, {426 /* io_uring_enter */, ENOSYS}, {427 /* io_uring_register */, ENOSYS},
    // Parts of the kernel that attackers use and plugins do not.
    {SYS_bpf, EPERM}, {SYS_perf_event_open, EPERM}, {SYS_userfaultfd, EPERM}, {SYS_add_key, EPERM},
    {SYS_request_key, EPERM}, {SYS_keyctl, EPERM}, {SYS_vhangup, EPERM},
    // The machine as a whole: kernel, modules, swap, clock, quotas, accounting, name, kernel log.
    {SYS_kexec_load, EPERM}, {SYS_init_module, EPERM}, {SYS_finit_module, EPERM}, {SYS_delete_module, EPERM},
    {SYS_swapon, EPERM}, {SYS_swapoff, EPERM}, {SYS_reboot, EPERM}, {SYS_settimeofday, EPERM},
    {SYS_clock_settime, EPERM}, {SYS_adjtimex, EPERM}, {SYS_clock_adjtime, EPERM}, {SYS_quotactl, EPERM},
    {443 /* quotactl_fd */, EPERM}, {SYS_acct, EPERM}, {SYS_sethostname, EPERM}, {SYS_setdomainname, EPERM},
    {SYS_syslog, EPERM}, {SYS_nfsservctl, ENOSYS}, {SYS_lookup_dcookie, EPERM}, {460 /* lsm_set_self_attr */, EPERM},
#ifdef SYS_kexec_file_load
    {SYS_kexec_file_load, EPERM},
#endif
#ifdef SYS_modify_ldt
    // Of old processors: segment tables, ports, old libraries, old calls.
    {SYS_modify_ldt, EPERM}, {SYS_ioperm, EPERM}, {SYS_iopl, EPERM}, {SYS_uselib, EPERM}, {SYS_sysfs, EPERM},
    {SYS_ustat, EPERM}, {SYS__sysctl, ENOSYS}, {SYS_create_module, ENOSYS}, {SYS_query_module, ENOSYS},
    {SYS_get_kernel_syms, ENOSYS},
#endif
};

// Shared memory, semaphores and message queues (sysvipc(7), mq_overview(7)) are the whole machine's, open to all of a
// user, and stay when their makers end: refused unless the plugin has its own. As on a kernel without them.
static const int machine_ipc[] = {
    SYS_shmget, SYS_shmat, SYS_shmdt, SYS_shmctl, SYS_semget, SYS_semop, SYS_semtimedop, SYS_semctl, SYS_msgget,
    SYS_msgsnd, SYS_msgrcv, SYS_msgctl, SYS_mq_open, SYS_mq_unlink, SYS_mq_timedsend, SYS_mq_timedreceive,
    SYS_mq_notify, SYS_mq_getsetattr,
};

// Rights, owners, times and attributes of files, which Landlock does not know: refused only where the data folder
// cannot be hidden by mounts and the plugin runs as the host's user, who owns it.
static const int attributes[] = {
    SYS_fchmod, SYS_fchmodat, 452 /* fchmodat2 */, SYS_fchown, SYS_fchownat, SYS_utimensat, SYS_setxattr,
    SYS_lsetxattr, SYS_fsetxattr, SYS_removexattr, SYS_lremovexattr, SYS_fremovexattr, 463 /* setxattrat */,
    466 /* removexattrat */, 469 /* file_setattr */,
    // Before version 3 of Landlock it cuts short what cannot be opened.
    SYS_truncate,
#ifdef SYS_chmod
    SYS_chmod, SYS_chown, SYS_lchown, SYS_utime, SYS_utimes, SYS_futimesat,
#endif
};

struct filter {
    struct sock_filter code[MAX_INSTRUCTIONS];
    unsigned short count;
    // The jump over the rule for one call, which is being written.
    unsigned short rule;
};

#define LOAD(field) ((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field)))
// The low half of an argument, and the high one; both processors are little-endian.
#define LOW(number) LOAD(args[number])
#define HIGH(number) \
    ((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[number]) + 4))
#define JUMP(test, value, then, otherwise) \
    ((struct sock_filter)BPF_JUMP(BPF_JMP | (test) | BPF_K, (uint32_t)(value), then, otherwise))
#define ALLOW ((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW))
#define REFUSE(error) ((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)(error)))

static void add(struct filter *filter, struct sock_filter instruction) {
    if (filter->count < MAX_INSTRUCTIONS) filter->code[filter->count] = instruction;
    filter->count++;
}

// Between these, what holds for one call. Every way through it ends with a return.
static void begin(struct filter *filter, int call) {
    filter->rule = filter->count;
    add(filter, JUMP(BPF_JEQ, call, 0, 0));
}

static void end(struct filter *filter) {
    if (filter->rule < MAX_INSTRUCTIONS) {
        filter->code[filter->rule].jf = (unsigned char)(filter->count - filter->rule - 1);
    }
}

static void refuse(struct filter *filter, int call, int error) {
    begin(filter, call);
    add(filter, REFUSE(error));
    end(filter);
}

// Of this process alone: the argument, a process or thread, must be 0. By number it could be the host's, and a filter
// cannot tell which numbers are the plugin's own.
static void allow_self(struct filter *filter, int call) {
    begin(filter, call);
    add(filter, LOW(0));
    add(filter, JUMP(BPF_JEQ, 0, 0, 1));
    add(filter, ALLOW);
    add(filter, REFUSE(EPERM));
    end(filter);
}

// As before, where the first argument says what the second is: not all of a user's processes.
static void allow_self_of(struct filter *filter, int call, int user) {
    begin(filter, call);
    add(filter, LOW(0));
    add(filter, JUMP(BPF_JEQ, user, 3, 0));
    add(filter, LOW(1));
    add(filter, JUMP(BPF_JEQ, 0, 0, 1));
    add(filter, ALLOW);
    add(filter, REFUSE(EPERM));
    end(filter);
}

static void refuse_bits(struct filter *filter, int call, uint32_t bits) {
    begin(filter, call);
    add(filter, LOW(0));
    add(filter, JUMP(BPF_JSET, bits, 1, 0));
    add(filter, ALLOW);
    add(filter, REFUSE(EPERM));
    end(filter);
}

// Refuses a mode with S_ISUID or S_ISGID: the bits outlive the plugin, and give its user to everybody who runs the file.
// `mode`: which argument it is. `flags`: which argument has the flags of open(2); -1: the call has none.
static void refuse_set_id(struct filter *filter, int call, int mode, int flags) {
    begin(filter, call);
    if (flags >= 0) {
        add(filter, LOW(flags));
        add(filter, JUMP(BPF_JSET, MAKES_FILE, 0, 2));
    }
    add(filter, LOW(mode));
    add(filter, JUMP(BPF_JSET, SET_ID, 1, 0));
    add(filter, ALLOW);
    add(filter, REFUSE(EPERM));
    end(filter);
}

static void refuse_set_ids(struct filter *filter) {
    refuse_set_id(filter, SYS_fchmod, 1, -1);
    refuse_set_id(filter, SYS_fchmodat, 2, -1);
    refuse_set_id(filter, 452 /* fchmodat2 */, 2, -1);
    refuse_set_id(filter, SYS_mkdirat, 2, -1);
    refuse_set_id(filter, SYS_mknodat, 2, -1);
    refuse_set_id(filter, SYS_openat, 3, 2);
#ifdef SYS_chmod
    refuse_set_id(filter, SYS_chmod, 1, -1);
    refuse_set_id(filter, SYS_mkdir, 1, -1);
    refuse_set_id(filter, SYS_mknod, 1, -1);
    refuse_set_id(filter, SYS_creat, 1, -1);
    refuse_set_id(filter, SYS_open, 2, 1);
#endif
}

// Reading the limits of any process is harmless, and so is setting one's own.
static void refuse_limits_of_others(struct filter *filter) {
    begin(filter, SYS_prlimit64);
    add(filter, LOW(0));
    add(filter, JUMP(BPF_JEQ, 0, 4, 0));
    add(filter, LOW(2));
    add(filter, JUMP(BPF_JEQ, 0, 0, 3));
    add(filter, HIGH(2));
    add(filter, JUMP(BPF_JEQ, 0, 0, 1));
    add(filter, ALLOW);
    add(filter, REFUSE(EPERM));
    end(filter);
}

static void refuse_values(struct filter *filter) {
    begin(filter, SYS_ioctl);
    add(filter, LOW(1));
    add(filter, JUMP(BPF_JEQ, TERMINAL_INPUT, 2, 0));
    add(filter, JUMP(BPF_JEQ, CONSOLE_INPUT, 1, 0));
    add(filter, ALLOW);
    add(filter, REFUSE(EPERM));
    end(filter);
    // The plugin's own process must not take off the signal that it gets when its launcher ends. Runtimes that set it
    // for their children can use SIGKILL.
    begin(filter, SYS_prctl);
    add(filter, LOW(0));
    add(filter, JUMP(BPF_JEQ, SCHEDULE_CORE, 4, 0));
    add(filter, JUMP(BPF_JEQ, PARENT_DEATH_SIGNAL, 0, 2));
    add(filter, LOW(1));
    add(filter, JUMP(BPF_JEQ, KILL, 0, 1));
    add(filter, ALLOW);
    add(filter, REFUSE(EPERM));
    end(filter);
    // A lease holds up everybody who opens the file, for 45 seconds by default.
    begin(filter, SYS_fcntl);
    add(filter, LOW(1));
    add(filter, JUMP(BPF_JEQ, SET_LEASE, 3, 0));
    add(filter, JUMP(BPF_JEQ, NOTIFY, 2, 0));
    add(filter, JUMP(BPF_JEQ, SET_DELEGATION, 1, 0));
    add(filter, ALLOW);
    add(filter, REFUSE(EPERM));
    end(filter);
    // The usual ones and the question: others switch off what protects memory (READ_IMPLIES_EXEC, ADDR_NO_RANDOMIZE).
    begin(filter, SYS_personality);
    add(filter, LOW(0));
    add(filter, JUMP(BPF_JEQ, 0xFFFFFFFF, 2, 0));
    add(filter, JUMP(BPF_JEQ, 0, 1, 0));
    add(filter, REFUSE(EPERM));
    add(filter, ALLOW);
    end(filter);
    // Where the pages of a process lie; of this one it is asked with 0.
    allow_self(filter, SYS_move_pages);
}

bool can_filter(void) {
    // PR_GET_SECCOMP fails with EINVAL on a kernel without it.
    return THIS_PROCESSOR != 0 && prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0;
}

static void write_filter(struct filter *filter, const struct rules *rules, bool no_attributes) {
    add(filter, LOAD(arch));
    // Other system call tables (32-bit programs) have other numbers for the same calls: none of them is let through.
    add(filter, JUMP(BPF_JEQ, THIS_PROCESSOR, 1, 0));
    add(filter, REFUSE(ENOSYS));
    add(filter, LOAD(nr));
    add(filter, JUMP(BPF_JGE, X32_BIT, 0, 1));
    add(filter, REFUSE(ENOSYS));
    for (size_t i = 0; i < sizeof denied / sizeof *denied; i++) refuse(filter, denied[i].call, denied[i].error);
    for (size_t i = 0; no_attributes && i < sizeof attributes / sizeof *attributes; i++) {
        refuse(filter, attributes[i], EPERM);
    }
    for (size_t i = 0; !rules->own_ipc && i < sizeof machine_ipc / sizeof *machine_ipc; i++) {
        refuse(filter, machine_ipc[i], ENOSYS);
    }
    refuse_set_ids(filter);
    refuse_limits_of_others(filter);
    allow_self(filter, SYS_sched_setaffinity);
    allow_self(filter, SYS_sched_setscheduler);
    allow_self(filter, SYS_sched_setparam);
    allow_self(filter, SYS_sched_setattr);
    allow_self_of(filter, SYS_setpriority, PRIORITY_OF_USER);
    allow_self_of(filter, SYS_ioprio_set, IO_PRIORITY_OF_USER);
    refuse_bits(filter, SYS_unshare, NEW_NAMESPACES | NEW_TIME);
    refuse_bits(filter, SYS_clone, NEW_NAMESPACES);
    refuse_values(filter);
    if (rules->no_network) {
        // The kernel takes the family as an int: the low half.
        begin(filter, SYS_socket);
        add(filter, LOW(0));
        add(filter, JUMP(BPF_JEQ, AF_UNIX, 0, 1));
        add(filter, ALLOW);
        add(filter, REFUSE(EACCES));
        end(filter);
    }
    add(filter, ALLOW);
}

bool refuse_calls(const struct rules *rules, bool no_attributes, struct trouble *trouble) {
    static struct filter filter;
    write_filter(&filter, rules, no_attributes);
    errno = E2BIG;
    if (filter.count > MAX_INSTRUCTIONS) return note_trouble(trouble, "the seccomp filter is too long", NULL);
    struct sock_fprog program = {.len = filter.count, .filter = filter.code};
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0) return true;
    return note_trouble(trouble, "cannot refuse system calls by a seccomp filter", NULL);
}
