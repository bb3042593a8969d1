/// How a request ended.
package enum Outcome: Equatable, Sendable {
    /// There is an answer.
    case answered(Answer)
    /// There is none, or not the whole of it: `timeout`, `dns`, `connect`, `denied`, `tls` or `transfer`, and why.
    case failed(code: String, message: String)

    /// What a service answered.
    package struct Answer: Equatable, Sendable {
        /// The HTTP status.
        package var status: Int
        /// The body, as much as is read.
        package var body: [UInt8]
        /// Whether the body was longer than is read.
        package var wasCut: Bool
        /// The values of the headers that the call asked for (``Call/keptHeaders``), by their names as asked for.
        package var headers: [String: String]

        package init(status: Int, body: [UInt8] = [], wasCut: Bool = false, headers: [String: String] = [:]) {
            self.status = status
            self.body = body
            self.wasCut = wasCut
            self.headers = headers
        }

        /// Whether it is a success, as far as HTTP goes.
        package var isSuccess: Bool { (200..<300).contains(status) }
        /// The body as text.
        package var text: String { String(decoding: body, as: UTF8.self) }
    }
}
