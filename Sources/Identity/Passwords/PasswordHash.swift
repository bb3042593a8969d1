import OpenSSL

/// How expensive a hash of a password is.
public struct ScryptParameters: Sendable, Equatable {
    /// The memory that a hash may use, in bytes.
    static let maxMemory: UInt64 = 64 << 20

    /// The binary logarithm of N.
    public var logCost: Int
    /// r.
    public var blockSize: Int
    /// p.
    public var parallelism: Int

    /// Makes parameters.
    /// - Returns: Nil for those that cost more than 64 MiB, 16 times the time of ``current``, or that scrypt forbids.
    public init?(logCost: Int, blockSize: Int, parallelism: Int) {
        guard (1...20).contains(logCost), (1...32).contains(blockSize), (1...16).contains(parallelism),
            128 * blockSize << logCost <= Int(Self.maxMemory)
        else { return nil }
        (self.logCost, self.blockSize, self.parallelism) = (logCost, blockSize, parallelism)
    }

    private init() { (logCost, blockSize, parallelism) = (15, 8, 1) }

    /// Those of new hashes: N = 2^15, r = 8, p = 1, which take 33 MB.
    public static let current = ScryptParameters()
}

/// A password as it is stored: a hash with its parameters and salt.
///
/// The text has the form of PHC strings: `$scrypt$ln=15,r=8,p=1$SALT$KEY`, both in Base64 for URLs. Each hash keeps the
/// parameters that it was made with, so that they can be raised.
public struct PasswordHash: Sendable, Equatable {
    /// The bytes of a password.
    public static let passwordLength = 8...1_024
    /// The bytes of a new salt.
    public static let saltLength = 16
    static let keyLength = 32

    /// What it was made with.
    public let parameters: ScryptParameters
    let salt: [UInt8]
    let key: [UInt8]

    /// Why a text cannot be a password; nil if it can.
    public static func problem(_ password: String) -> String? {
        passwordLength.contains(password.utf8.count)
            ? nil : "a password has \(passwordLength.lowerBound) to \(passwordLength.upperBound) bytes"
    }

    /// Hashes a password, which takes about a tenth of a second and 33 MB.
    /// - Returns: Nil where there is no memory for it.
    init?(of password: [UInt8], salt: [UInt8], parameters: ScryptParameters = .current) {
        guard let key = Self.derive(password, salt, parameters) else { return nil }
        (self.parameters, self.salt, self.key) = (parameters, salt, key)
    }

    /// Reads a stored hash; nil for anything else, and for parameters that cost too much.
    public init?(text: String) {
        let parts = text.utf8.split(separator: 0x24, omittingEmptySubsequences: false)
        guard parts.count == 5, parts[0].isEmpty, parts[1].elementsEqual("scrypt".utf8),
            let parameters = Self.parameters(parts[2]), let salt = Base64URL.decode(parts[3]),
            let key = Base64URL.decode(parts[4]), key.count == Self.keyLength, (8...64).contains(salt.count)
        else { return nil }
        (self.parameters, self.salt, self.key) = (parameters, salt, key)
    }

    private static func parameters(_ text: Substring.UTF8View) -> ScryptParameters? {
        let names = ["ln=", "r=", "p="]
        let fields = text.split(separator: 0x2C, omittingEmptySubsequences: false)
        guard fields.count == names.count else { return nil }
        var values: [Int] = []
        for (field, name) in zip(fields, names) {
            let digits = field.dropFirst(name.utf8.count)
            guard field.starts(with: name.utf8), (1...3).contains(digits.count),
                digits.allSatisfy({ (0x30...0x39).contains($0) }), let value = Int(Substring(digits))
            else { return nil }
            values.append(value)
        }
        return ScryptParameters(logCost: values[0], blockSize: values[1], parallelism: values[2])
    }

    /// The form in which it is stored.
    public var text: String {
        "$scrypt$ln=\(parameters.logCost),r=\(parameters.blockSize),p=\(parameters.parallelism)"
            + "$\(Base64URL.encode(salt))$\(Base64URL.encode(key))"
    }

    /// Whether this is the hash of a password; nil where there is no memory to find out. The time does not tell how
    /// much of it is right.
    func matches(_ password: [UInt8]) -> Bool? {
        Self.derive(password, salt, parameters).map { ConstantTime.areEqual($0, key) }
    }

    private static func derive(_ password: [UInt8], _ salt: [UInt8], _ parameters: ScryptParameters) -> [UInt8]? {
        Scrypt.key(
            password: password, salt: salt, cost: 1 << UInt64(parameters.logCost),
            blockSize: UInt64(parameters.blockSize), parallelism: UInt64(parameters.parallelism),
            maxMemory: ScryptParameters.maxMemory, length: keyLength)
    }
}
