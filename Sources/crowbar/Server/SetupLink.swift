import CrowbarCore
import CrowbarSQLite
import Glibc
import Identity
import Logging
import OpenSSL

/// The link by which the first admin is made. It works for an hour and once; a new one voids the one before.
struct SetupLink: Sendable {
    /// The file in the data folder that has it where the server has no terminal, readable by the owner alone.
    static let file = "setup-link"

    let stores: Stores
    let policy: SignInPolicy
    let address: PublicAddress

    private var path: String { stores.folder.file(Self.file) }

    /// Makes a link.
    /// - Throws: ``CommandError``, ``ActionFailure``.
    func make() async throws -> (link: String, expires: Int64) {
        guard policy.passwords else {
            throw CommandError(
                .forbidden,
                "this server has no passwords, so a setup link would be of no use; name an admin_group in [auth.oidc], "
                    + "or run 'crowbar user role USER admin'")
        }
        let token = try stores.sessions.newToken(prefix: "")
        let expires = Clock.milliseconds() + LocalAccounts.Limit.setupLink
        try await Stores.refusing("the setup link could not be made") {
            try await stores.accounts.add(
                AccountLink(hash: SHA256.hash(token.utf8), purpose: .setup, expires: expires))
        }
        // The link in it works no more.
        removeFile()
        return (address.link("setup", token: token), expires)
    }

    /// Removes the file with the link.
    func removeFile() { unlink(path) }

    /// Prints or writes a link where there is no enabled admin yet.
    func announce(_ logger: Logger) async {
        do {
            if try await stores.accounts.hasEnabledAdmin() { return removeFile() }
            guard policy.passwords else {
                return logger.warning(
                    """
                    there is no admin; members of admin_group in [auth.oidc] become one when they sign in, or run \
                    'crowbar user role USER admin'
                    """)
            }
            let link = try await make().link
            if isatty(STDOUT_FILENO) == 1 {
                StandardStream.output.write(
                    line: "there is no admin yet; open this link within an hour to make one: \(link)")
            } else {
                try PrivateFile.write(path, Array((link + "\n").utf8))
                logger.notice(
                    "there is no admin yet; the link in this file makes one within an hour",
                    metadata: ["file": "\(path)"])
            }
        } catch {
            logger.error(
                "the setup link could not be made; 'crowbar setup-link' makes one", metadata: ["reason": "\(error)"])
        }
    }
}
