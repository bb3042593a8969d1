import COpenSSL

/// The thread's queue of OpenSSL errors.
enum OpenSSLReason {
    /// The reason of the oldest error, in OpenSSL's words; the queue is empty afterwards.
    static func take() -> String {
        let code = ERR_get_error()
        ERR_clear_error()
        guard code != 0, let text = ERR_reason_error_string(code) else { return "no reason given" }
        return String(cString: text)
    }
}
