import Glibc

/// Looks at files with the rights of an ordinary user, where the tests run as root.
enum OtherUser {
    static let number: UInt32 = 65_118

    struct NotThere: Error {}

    /// Runs on this thread, whose rights to files are that user's meanwhile (setfsuid(2)); those of the others stay.
    static func run<Result>(_ body: () throws -> Result) throws -> Result {
        guard let address = dlsym(nil, "setfsuid") else { throw NotThere() }
        typealias Function = @convention(c) (UInt32) -> Int32
        // The function has this type in every C library of Linux.
        let setfsuid = unsafeBitCast(address, to: Function.self)
        _ = setfsuid(number)
        defer { _ = setfsuid(0) }
        return try body()
    }
}
