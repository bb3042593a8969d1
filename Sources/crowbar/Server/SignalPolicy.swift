import Glibc

/// What the server does with each signal that would otherwise end it. A pure table.
///
/// Not in it: SIGKILL and SIGSTOP, which no process sees, and those that end nothing by default (SIGCHLD, SIGCONT,
/// SIGURG, SIGWINCH, SIGTSTP, SIGTTIN, SIGTTOU).
struct SignalPolicy: Sendable, Equatable {
    /// What a signal leads to.
    enum Action: Sendable, Equatable {
        /// An orderly shutdown.
        case shutdown
        /// ``ServerReload``.
        case reload
        /// Nothing but a line in the log.
        case ignore
    }

    /// The signal's number.
    var number: Int32
    /// Its name.
    var name: String
    /// What it leads to.
    var action: Action
    /// Whether the kernel also sends it for a fault in the program, which ends the server at once as before: nothing
    /// that follows a fault can be relied on.
    var isFault = false

    /// All signals that are handled.
    static let table: [SignalPolicy] =
        [
            .init(number: SIGHUP, name: "SIGHUP", action: .reload),
            .init(number: SIGINT, name: "SIGINT", action: .shutdown),
            .init(number: SIGTERM, name: "SIGTERM", action: .shutdown),
            .init(number: SIGQUIT, name: "SIGQUIT", action: .shutdown),
            // The power fails; the processor time that the server may take is used up, and more is SIGKILL.
            .init(number: SIGPWR, name: "SIGPWR", action: .shutdown),
            .init(number: SIGXCPU, name: "SIGXCPU", action: .shutdown),
            .init(number: SIGABRT, name: "SIGABRT", action: .shutdown, isFault: true),
            .init(number: SIGBUS, name: "SIGBUS", action: .shutdown, isFault: true),
            .init(number: SIGFPE, name: "SIGFPE", action: .shutdown, isFault: true),
            .init(number: SIGILL, name: "SIGILL", action: .shutdown, isFault: true),
            .init(number: SIGSEGV, name: "SIGSEGV", action: .shutdown, isFault: true),
            .init(number: SIGSYS, name: "SIGSYS", action: .shutdown, isFault: true),
            .init(number: SIGTRAP, name: "SIGTRAP", action: .shutdown, isFault: true),
            .init(number: SIGUSR1, name: "SIGUSR1", action: .ignore),
            .init(number: SIGUSR2, name: "SIGUSR2", action: .ignore),
            .init(number: SIGALRM, name: "SIGALRM", action: .ignore),
            .init(number: SIGVTALRM, name: "SIGVTALRM", action: .ignore),
            .init(number: SIGPROF, name: "SIGPROF", action: .ignore),
            .init(number: SIGIO, name: "SIGIO", action: .ignore),
            .init(number: SIGSTKFLT, name: "SIGSTKFLT", action: .ignore),
            // A write that fails says so itself; a limit on file sizes is a full disk like any other.
            .init(number: SIGPIPE, name: "SIGPIPE", action: .ignore),
            .init(number: SIGXFSZ, name: "SIGXFSZ", action: .ignore),
        ]
        + (firstRealTime...lastRealTime).map { number in
            let offset = number - firstRealTime
            return .init(number: number, name: "SIGRTMIN\(offset == 0 ? "" : "+\(offset)")", action: .ignore)
        }

    private static let firstRealTime = __libc_current_sigrtmin()
    private static let lastRealTime = __libc_current_sigrtmax()
}
