import NIOCore

// The connections of users beside a network's own.
extension NetworkConnection {
    /// Does what is to become of one.
    func lead(_ serial: Int, _ order: PuppetOrder) {
        switch order {
        case .open(let config):
            let machine = NetworkMachine(puppet: config, plugin: plugin)
            let puppet = NetworkConnection(machine: machine, serial: serial, loop: loop) { [weak self] action in
                self?.heard(serial, action)
            }
            puppet.lentContext = contextForUsers()
            puppet.traffic = traffic
            puppets[serial] = puppet
            puppet.start(NetworkState())
        case .say(let entry, let links): puppets[serial]?.step { $0.say(entry, links, now: $1) }
        case .reconfigure(let config, let links): puppets[serial]?.step { $0.follow(config, links, now: $1) }
        case .clear: puppets[serial]?.step { machine, _ in machine.requeued() }
        case .leave(let deadline): puppets[serial]?.drain(deadline: deadline)
        case .drop: puppets.removeValue(forKey: serial)?.drop()
        }
    }

    /// A user's connection tells something; taken once what is being done is done.
    private func heard(_ serial: Int, _ action: NetworkAction) {
        switch action {
        case .news(.lost), .news(.unfit), .drained: puppets[serial] = nil
        case .news, .plugin: break
        default: return
        }
        inbox.append((serial, action))
        readInbox()
    }
}
