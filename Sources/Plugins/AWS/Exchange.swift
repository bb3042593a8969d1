import HTTPClient
import PluginWire

/// A request on its way to a service. Belongs to the courier's thread.
typealias Exchange = HTTPExchange<ExchangePurpose>

/// What is to be done with an answer.
enum ExchangePurpose {
    /// Events of a target.
    case events([Job], lane: Int)
    /// Credentials of an origin.
    case credentials(CredentialOrigin)
    /// An operator's test of a target, and the question that it answers.
    case test(Job, lane: Int, MessageID)

    /// What the plugin calls itself.
    static let userAgent = "crowbar-aws/1"
}

extension Outcome.Answer {
    /// The header that Lambda names a function's failure in.
    static let functionErrorHeader = "x-amz-function-error"
    /// The headers that answers are judged by.
    static let judgedHeaders = [ServiceError.header, functionErrorHeader]

    /// How the function failed.
    var functionError: String? { headers[Self.functionErrorHeader] }
}
