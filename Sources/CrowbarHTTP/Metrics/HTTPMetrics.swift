import CrowbarCore
import CrowbarMetrics
import HTTPTypes

/// What the API's listener counts. The command line's socket counts nothing: it is the operator's own.
public final class HTTPMetrics: Sendable {
    /// The classes of status codes.
    enum Status: Int, MetricLabel {
        case informational, success, redirection, clientError, serverError

        init(_ code: Int) { self = Status(rawValue: min(max(code / 100, 1), 5) - 1) ?? .serverError }

        var text: String { "\(rawValue + 1)xx" }
    }

    /// Why a request or a connection was refused.
    enum Rejection: Int, MetricLabel {
        case unauthorized, forbidden, rateLimited, tooLarge, tooSlow, misdirected, unavailable
        /// A connection closed because its body came too slowly, or its answer was not read.
        case slowConnection
        /// A connection that found every place taken.
        case connectionLimit

        init?(_ code: CommandError.Code) {
            switch code {
            case .unauthorized: self = .unauthorized
            case .forbidden: self = .forbidden
            case .rateLimited: self = .rateLimited
            case .tooLarge: self = .tooLarge
            case .tooSlow: self = .tooSlow
            case .misdirected: self = .misdirected
            case .unavailable: self = .unavailable
            default: return nil
            }
        }

        var text: String {
            switch self {
            case .unauthorized: "unauthorized"
            case .forbidden: "forbidden"
            case .rateLimited: "rate_limited"
            case .tooLarge: "too_large"
            case .tooSlow: "too_slow"
            case .misdirected: "misdirected"
            case .unavailable: "unavailable"
            case .slowConnection: "slow_connection"
            case .connectionLimit: "connection_limit"
            }
        }
    }

    /// Why the server ended an event stream.
    enum StreamEnd: Int, MetricLabel {
        /// Its reader does not read fast enough.
        case slowReader
        /// Its reader may not read any more.
        case unauthorized

        var text: String { self == .slowReader ? "slow_reader" : "unauthorized" }
    }

    /// What became of a sign-in.
    enum Login: Int, MetricLabel {
        case success, failure, rateLimited, unavailable

        /// nil where nobody tried: the request was malformed.
        init?(status code: Int) {
            switch code {
            case 200..<300: self = .success
            case 401, 403: self = .failure
            case 429: self = .rateLimited
            case 500...: self = .unavailable
            default: return nil
            }
        }

        var text: String {
            switch self {
            case .success: "success"
            case .failure: "failure"
            case .rateLimited: "rate_limited"
            case .unavailable: "unavailable"
            }
        }
    }

    /// By the number of the route and the class of the status.
    private let requests: [Histogram]
    private let rejections = LabelledCounters<Rejection>()
    private let streamEnds = LabelledCounters<StreamEnd>()
    private let logins = LabelledCounters<Login>()
    private let (streamsBegun, streamsEnded) = (Counter(), Counter())
    private let (login, openID) = (RouteTable.number(of: AccountRoutes.login), RouteTable.number(of: OpenIDRoute.path))

    /// Makes counters at 0.
    public init() {
        requests = (0..<RouteTable.labels.count * Status.allCases.count).map { _ in Histogram() }
    }

    /// Notes an answer.
    /// - Parameter route: The number of its route, of ``RouteTable/labels``.
    func note(route: Int, status code: Int, nanoseconds: UInt64) {
        requests[route * Status.allCases.count + Status(code).rawValue].record(nanoseconds: nanoseconds)
        if route == login || route == openID, let login = Login(status: code) { logins.add(login) }
    }

    /// Notes why a request was refused, where the reason is one that counts.
    func noteRefusal(_ code: CommandError.Code) {
        if let reason = Rejection(code) { rejections.add(reason) }
    }

    func note(_ rejection: Rejection) { rejections.add(rejection) }

    func note(_ end: StreamEnd) { streamEnds.add(end) }

    func streamBegins() { streamsBegun.add() }

    func streamEnded() { streamsEnded.add() }

    /// Adds the numbers to a report. Routes and statuses that never occurred are left out.
    public func write(to report: inout MetricsReport) {
        for (route, label) in RouteTable.labels.enumerated() {
            for status in Status.allCases {
                let durations = requests[route * Status.allCases.count + status.rawValue].snapshot
                if durations.count == 0 { continue }
                report.add(.httpRequestSeconds, label, status.text, durations: durations)
            }
        }
        report.add(.httpRejected, counts: rejections)
        // The end first, so that there are never fewer than none.
        let ended = streamsEnded.value
        report.add(.streamClients, count: streamsBegun.value - ended)
        report.add(.streamsDropped, counts: streamEnds)
        report.add(.logins, counts: logins)
    }
}
