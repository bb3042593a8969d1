output "instance_arn" {
  description = "The ARN of the instance: `host_arn` of the module site."
  value       = aws_instance.host.arn
}

output "instance_id" {
  description = "The id of the instance."
  value       = aws_instance.host.id
}

output "private_dns" {
  description = "The private DNS name of the instance: `host_name` of the module site."
  value       = aws_instance.host.private_dns
}

output "role_arn" {
  description = "The ARN of the instance's role: a publisher of queues of other accounts."
  value       = aws_iam_role.host.arn
}

output "role_name" {
  description = "The name of the instance's role."
  value       = aws_iam_role.host.name
}

output "security_group_id" {
  description = "The security group of the instance."
  value       = aws_security_group.host.id
}

output "volume_id" {
  description = "The id of the volume with the log."
  value       = aws_ebs_volume.data.id
}
