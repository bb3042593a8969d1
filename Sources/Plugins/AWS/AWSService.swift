import HTTPClient
import PluginHTTP
import PluginWire

/// A request for credentials.
struct CredentialFetch {
    /// Whose they are.
    var origin: CredentialOrigin
    /// Which of the plugin's sources of credentials it is for: the answer for an earlier one is of no use.
    var generation: Int
}

/// What is specific to requests to AWS: they are signed with credentials, which are fetched first. Belongs to the
/// sender's thread.
final class AWSService: SendService {
    typealias Endpoint = Target
    typealias Preparation = CredentialFetch

    static let words: EndpointWords = {
        var words = EndpointWords(
            noun: "target", obstacle: { $0 == ServiceVerdict.credentials ? "waiting for credentials" : "throttled" })
        words.lasting = ["not_found", "denied", ServiceVerdict.credentials]
        return words
    }()

    private let surroundings: Surroundings
    private var source: CredentialSource
    private var generation = 0
    private var keepers: [CredentialOrigin: CredentialKeeper] = [:]
    private var hasChanged = true

    init(_ configuration: AWSConfiguration) {
        (surroundings, source) = (configuration.surroundings, configuration.source)
        adopt(configuration)
    }

    /// Keeps the credentials that are still needed, unless they come from somewhere else now.
    func adopt(_ configuration: AWSConfiguration) {
        if configuration.source != source {
            source = configuration.source
            generation += 1
            keepers = [:]
        }
        let origins = Set(configuration.targets.map { CredentialOrigin($0) }).union([.own])
        keepers = Dictionary(uniqueKeysWithValues: origins.map { ($0, keepers[$0] ?? CredentialKeeper()) })
        hasChanged = true
    }

    var notes: [StatusNote] {
        [StatusNote("credentials", Set(keepers.values.compactMap(\.problem?.message)).sorted())]
    }

    func takeChange() -> Bool {
        defer { hasChanged = false }
        return hasChanged
    }

    // MARK: Requests

    func readiness(of target: Target, at time: Int64) -> Readiness<ServiceVerdict> {
        let keeper = keepers[CredentialOrigin(target)]
        if keeper?.usable(at: time) != nil { return .ready }
        let code = ServiceVerdict.credentials
        if let problem = keeper?.problem { return .blocked(.unaccepted(code: code, message: problem.message)) }
        return .pending(.unaccepted(code: code, message: "they are on their way; try again in a moment"))
    }

    func request(for deliveries: [Delivery], to target: Target, at time: Int64) -> (lines: [String], body: [UInt8]) {
        let call = target.call(deliveries)
        return (call.lines(keepers[CredentialOrigin(target)]?.usable(at: time), at: time), call.request.body)
    }

    func note(_ results: [ServiceVerdict], of target: Target, at time: Int64) {
        if results.contains(where: \.isUnaccepted) { keepers[CredentialOrigin(target)]?.doubt(at: time) }
    }

    func resume(_ target: Target, at time: Int64) {
        // What credentials lack may be mended.
        keepers[CredentialOrigin(target)]?.doubt(at: time)
    }

    // MARK: Credentials

    func nextPreparation(at time: Int64) -> PreparationCall<CredentialFetch>? {
        for origin in keepers.keys where keepers[origin]?.isDue(at: time) == true {
            switch origin {
            case .own:
                if let call = ownCall(time) { return fetch(call, nil, for: origin, time) }
            case .role(let role):
                guard let own = keepers[.own] else { continue }
                if let credentials = own.usable(at: time) { return fetch(role.call, credentials, for: origin, time) }
                if let problem = own.problem { take(.failure(problem), for: origin, time) }
            }
        }
        return nil
    }

    /// The request for the plugin's own credentials; nil where they are read from this machine.
    private func ownCall(_ time: Int64) -> Call? {
        do throws(CredentialProblem) {
            switch source {
            case .environment: take(.success(try source.environment(surroundings)), for: .own, time)
            case .file(let path, let profile):
                guard let content = surroundings.file(path) else {
                    throw CredentialProblem(surroundings.fileProblem(path))
                }
                take(.success(try SharedFile.credentials(in: content, profile: profile)), for: .own, time)
            case .container(let endpoint): return try endpoint.call(surroundings)
            }
        } catch { take(.failure(error), for: .own, time) }
        return nil
    }

    private func fetch(_ call: Call, _ credentials: AWSCredentials?, for origin: CredentialOrigin, _ time: Int64)
        -> PreparationCall<CredentialFetch>
    {
        keepers[origin]?.start()
        return PreparationCall(
            CredentialFetch(origin: origin, generation: generation), call, lines: call.lines(credentials, at: time),
            userAgent: Target.userAgent)
    }

    func finish(_ fetch: CredentialFetch, _ outcome: Outcome, at time: Int64) {
        guard fetch.generation == generation else { return }
        do throws(CredentialProblem) {
            let credentials =
                switch fetch.origin {
                case .own: try ContainerEndpoint.credentials(of: outcome)
                case .role(let role): try role.credentials(in: outcome)
                }
            take(.success(credentials), for: fetch.origin, time)
        } catch { take(.failure(error), for: fetch.origin, time) }
    }

    private func take(_ fetched: Result<AWSCredentials, CredentialProblem>, for origin: CredentialOrigin, _ time: Int64)
    {
        keepers[origin]?.take(fetched, at: time)
        hasChanged = true
    }

    func preparationDue(at time: Int64) -> Int64? {
        let isOwnReady = keepers[.own].map { $0.usable(at: time) != nil || $0.problem != nil } ?? false
        return keepers.compactMap { origin, keeper in
            guard let due = keeper.due else { return nil }
            // A role waits for the plugin's own credentials, whose fetch wakes the loop.
            return due <= time && origin != .own && !isOwnReady ? nil : due
        }.min()
    }
}
