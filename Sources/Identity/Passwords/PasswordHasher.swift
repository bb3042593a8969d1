import Glibc
import OpenSSL

/// Hashes and checks passwords on threads of its own: two at a time at most, because each takes 33 MB and a processor
/// for a tenth of a second, and 64 waiting (docs/decisions/0147-hashes-leave-processors-free.md).
public final class PasswordHasher: Sendable {
    /// Limits.
    public enum Limit {
        /// Hashes that are made at a time: they leave at least half of the processors to everything else.
        public static func atOnce(processors: Int) -> Int { min(2, max(1, processors / 2)) }
        /// Hashes that wait. Further ones are refused.
        public static let waiting = 64
    }

    /// Why a password was neither hashed nor checked.
    public enum Failure: Error, Sendable, Equatable, CustomStringConvertible {
        /// Too many wait. The API answers 503.
        case busy
        /// The system has no memory or no randomness for it.
        case unavailable

        public var description: String {
            switch self {
            case .busy: "too many sign-ins at once; try again in a few seconds"
            case .unavailable: "the system has no memory or randomness for a password hash; try again"
            }
        }
    }

    private let queue: BoundedWorkQueue
    private let parameters: ScryptParameters
    private let random: @Sendable (Int) -> [UInt8]?
    /// What the password of a user without one is compared with, so that it costs a hash too.
    private let nobody: PasswordHash?

    /// Makes a hasher.
    /// - Parameters:
    ///   - processors: Those of the machine.
    ///   - parameters: Those of new hashes.
    ///   - random: Gives that many random bytes; nil where there are none.
    public init(
        processors: Int = sysconf(Int32(_SC_NPROCESSORS_ONLN)), parameters: ScryptParameters = .current,
        random: @escaping @Sendable (Int) -> [UInt8]? = { try? SecureRandom.bytes($0) }
    ) {
        queue = BoundedWorkQueue(atOnce: Limit.atOnce(processors: processors), capacity: Limit.waiting)
        self.parameters = parameters
        self.random = random
        let unknown = [UInt8](repeating: 0, count: PasswordHash.keyLength)
        nobody = PasswordHash(
            text: "$scrypt$ln=\(parameters.logCost),r=\(parameters.blockSize),p=\(parameters.parallelism)$"
                + "\(Base64URL.encode(Array(unknown.prefix(PasswordHash.saltLength))))$\(Base64URL.encode(unknown))")
    }

    /// Passwords that wait.
    var waiting: Int { queue.waiting }

    /// The hash of a password, as accounts store it.
    /// - Throws: ``Failure``, or `CancellationError` where the task is cancelled while the password waits.
    public func hash(_ password: String) async throws -> String {
        let bytes = Array(password.utf8)
        let hash = try await run { [parameters, random] () -> PasswordHash? in
            guard let salt = random(PasswordHash.saltLength) else { return nil }
            return PasswordHash(of: bytes, salt: salt, parameters: parameters)
        }
        guard let hash else { throw Failure.unavailable }
        return hash.text
    }

    /// Whether a password is the one of a stored hash.
    /// - Parameters:
    ///   - password: As the caller sent it.
    ///   - stored: The text that ``hash(_:)`` made; nil for a user that does not exist or has no password. That costs a
    ///     hash all the same, so that the time does not tell which users exist.
    /// - Returns: False also for a text that is no hash.
    /// - Throws: As ``hash(_:)``.
    public func isPassword(_ password: String, of stored: String?) async throws -> Bool {
        let bytes = Array(password.utf8)
        let hash = stored.flatMap { PasswordHash(text: $0) }
        let compared = try await run { [nobody] in (hash ?? nobody)?.matches(bytes) }
        guard let compared else { throw Failure.unavailable }
        return hash != nil && PasswordHash.passwordLength.contains(bytes.count) && compared
    }

    private func run<T: Sendable>(_ work: @escaping @Sendable () -> T) async throws -> T {
        do { return try await queue.run(work) } catch BoundedWorkQueue.Refusal.full { throw Failure.busy }
    }
}
