/// How a request ended.
enum Outcome: Equatable, Sendable {
    /// There is an answer.
    case answered(Answer)
    /// There is none, or not the whole of it: `timeout`, `dns`, `connect`, `tls` or `transfer`, and why.
    case failed(code: String, message: String)

    /// What a service answered.
    struct Answer: Equatable, Sendable {
        /// The HTTP status.
        var status: Int
        /// The body, as much as is read.
        var body: [UInt8] = []
        /// Whether the body was longer than is read.
        var wasCut = false
        /// `x-amzn-errortype`.
        var errorType: String?
        /// `x-amz-function-error`.
        var functionError: String?

        /// Whether it is a success, as far as HTTP goes.
        var isSuccess: Bool { (200..<300).contains(status) }
        /// The body as text.
        var text: String { String(decoding: body, as: UTF8.self) }
    }
}
