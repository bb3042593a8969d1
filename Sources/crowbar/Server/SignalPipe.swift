import Glibc

/// Where the handler writes, and what it restores; set once before the handler is installed, and read by it alone.
nonisolated(unsafe) private var signalPipeEnd: Int32 = -1
nonisolated(unsafe) private var signalOwner: pid_t = 0
nonisolated(unsafe) private var signalDefaults: UnsafeMutablePointer<sigaction>?

/// A signal as the handler passes it on.
struct ReceivedSignal: Sendable, Equatable {
    /// The bytes of one in the pipe.
    static let size = 8

    /// Its number.
    var number: Int32
    /// Who sent it; 0 for the kernel.
    var sender: pid_t
}

/// Turns signals into bytes of a pipe.
///
/// A handler and not `SIG_IGN`: what is ignored stays so in programs that are started, what is handled does not. The
/// handler calls nothing that a signal handler may not call (signal-safety(7)).
enum SignalPipe {
    /// Handles the signals of a table from now on.
    /// - Returns: The descriptor that ``ReceivedSignal``s are read from: two numbers of 32 bits each. It is never
    ///   closed on this side: a signal that comes last must not meet a broken pipe.
    /// - Throws: ``Refusal`` where there is no pipe.
    static func install(_ table: [SignalPolicy]) throws -> Int32 {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            throw Refusal("there is no pipe for signals: \(String(cString: strerror(errno)))")
        }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        signalPipeEnd = ends[1]
        signalOwner = getpid()
        let defaults = UnsafeMutablePointer<sigaction>.allocate(capacity: 128)
        defaults.initialize(repeating: sigaction(), count: 128)
        signalDefaults = defaults
        for policy in table {
            var action = sigaction()
            action.__sigaction_handler.sa_sigaction = policy.isFault ? handleFault : handle
            action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK
            sigfillset(&action.sa_mask)
            sigaction(policy.number, &action, defaults + Int(policy.number))
        }
        return ends[0]
    }

    private typealias Handler =
        @convention(c) (Int32, UnsafeMutablePointer<siginfo_t>?, UnsafeMutableRawPointer?) -> Void

    private static let handle: Handler = { number, info, _ in
        let isSent = (info?.pointee.si_code ?? 0) <= 0
        let sender = isSent ? info?.pointee._sifields._kill.si_pid ?? 0 : 0
        // A write of the server's own that failed: it says so itself, and may do so often.
        if sender == signalOwner, number == SIGPIPE || number == SIGXFSZ { return }
        pass(number, sender)
    }

    private static let handleFault: Handler = { number, info, _ in
        let sender = info?.pointee._sifields._kill.si_pid ?? 0
        if (info?.pointee.si_code ?? 0) > 0 || sender == signalOwner {
            // A fault of the program: what follows is what would have been without this handler.
            if let defaults = signalDefaults { sigaction(number, defaults + Int(number), nil) }
            // After these the program would go on behind the fault; the signal is delivered when this returns.
            if number == SIGTRAP || number == SIGSYS { raise(number) }
            return
        }
        pass(number, sender)
    }

    /// Writes one; where the pipe is full there are enough of them.
    private static func pass(_ number: Int32, _ sender: pid_t) {
        let code = errno
        var record = (number, sender)
        _ = write(signalPipeEnd, &record, ReceivedSignal.size)
        errno = code
    }
}
