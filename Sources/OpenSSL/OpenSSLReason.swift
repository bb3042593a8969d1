import COpenSSL
import Glibc

/// The thread's queue of OpenSSL errors.
enum OpenSSLReason {
    /// Marks codes that are numbers of the system (openssl/err.h; a macro of C that Swift does not see).
    private static let systemFlag: UInt = 1 << 31

    /// The reason of the oldest error, in OpenSSL's words; the queue is empty afterwards.
    static func take() -> String {
        let code = ERR_get_error()
        ERR_clear_error()
        // Errors of the system, as for a file that cannot be opened, have no words of OpenSSL (ERR_SYSTEM_FLAG).
        if code & systemFlag != 0 { return String(cString: strerror(CInt(truncatingIfNeeded: code & ~systemFlag))) }
        guard code != 0, let text = ERR_reason_error_string(code) else { return "no reason given" }
        return String(cString: text)
    }
}
